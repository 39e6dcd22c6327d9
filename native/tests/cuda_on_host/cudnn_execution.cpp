// What the cuDNN stand-in computes.
#include <cmath>
#include <limits>

#include "core/bfloat16.h"
#include "cuda_on_host/cudnn_descriptors.h"

namespace layerwise::cuda_on_host {

using namespace cuda;

namespace {

/// Elements of a channels-last tensor.
class Elements {
 public:
  Elements(const CudnnTensor& tensor, void* data) : tensor_(tensor), data_(data) {}

  int64_t n() const { return tensor_.extents[0]; }
  int64_t c() const { return tensor_.extents[1]; }
  int64_t h() const { return tensor_.extents[2]; }
  int64_t w() const { return tensor_.extents[3]; }
  int64_t count() const { return n() * c() * h() * w(); }
  int64_t at(int64_t n, int64_t h, int64_t w, int64_t c) const {
    return n * tensor_.strides[0] + c * tensor_.strides[1] + h * tensor_.strides[2] + w * tensor_.strides[3];
  }

  float load(int64_t i) const {
    return tensor_.type == CUDNN_DATA_BFLOAT16 ? to_float(static_cast<const Bfloat16*>(data_)[i])
                                               : static_cast<const float*>(data_)[i];
  }
  void store(int64_t i, double value) const {
    if (tensor_.type == CUDNN_DATA_BFLOAT16)
      static_cast<Bfloat16*>(data_)[i] = to_bfloat16(static_cast<float>(value));
    else
      static_cast<float*>(data_)[i] = static_cast<float>(value);
  }

  /// All of it, in double.
  std::vector<double> factors(CudnnStandIn::Arithmetic arithmetic) const {
    std::vector<double> values(static_cast<size_t>(count()));
    for (int64_t i = 0; i < count(); ++i) {
      double value = static_cast<double>(load(i));
      if (arithmetic == CudnnStandIn::Arithmetic::tensor_float32 && value != 0) {
        const int exponent = std::ilogb(value);  // 11 significant bits
        value = std::scalbn(std::nearbyint(std::scalbn(value, 10 - exponent)), exponent - 10);
      }
      values[static_cast<size_t>(i)] = value;
    }
    return values;
  }

 private:
  const CudnnTensor& tensor_;
  void* data_;
};

}  // namespace

void compute(const CudnnOperation& operation, CudnnStandIn::Arithmetic arithmetic, const CudnnOperands& data) {
  const Elements x(operation.x, data.x), weight(operation.weight, data.weight), y(operation.y, data.y);
  const bool is_weight = operation.kind == ConvolutionProduct::Kind::weight_gradient;
  const bool is_data = operation.kind == ConvolutionProduct::Kind::data_gradient;
  const Elements& result = is_weight ? weight : is_data ? x : y;
  const Elements &first = is_data ? y : x, &second = is_weight ? y : weight;
  if (arithmetic == CudnnStandIn::Arithmetic::wrong) {
    for (int64_t i = 0; i < result.count(); ++i) result.store(i, std::numeric_limits<double>::quiet_NaN());
    return;
  }
  const std::vector<double> a = first.factors(arithmetic), b = second.factors(arithmetic);
  std::vector<double> sums(static_cast<size_t>(result.count()));
  for (int64_t n = 0; n < y.n(); ++n)
    for (int64_t oh = 0; oh < y.h(); ++oh)
      for (int64_t ow = 0; ow < y.w(); ++ow)
        for (int64_t kh = 0; kh < weight.h(); ++kh)
          for (int64_t kw = 0; kw < weight.w(); ++kw) {
            const int64_t h = oh * operation.stride - operation.padding + kh;
            const int64_t w = ow * operation.stride - operation.padding + kw;
            if (h < 0 || h >= x.h() || w < 0 || w >= x.w()) continue;
            const auto at_x = static_cast<size_t>(x.at(n, h, w, 0));
            for (int64_t o = 0; o < y.c(); ++o) {
              const auto at_y = static_cast<size_t>(y.at(n, oh, ow, o));
              const auto at_weight = static_cast<size_t>(weight.at(o, kh, kw, 0));
              for (size_t c = 0; c < static_cast<size_t>(x.c()); ++c) {
                if (is_weight)
                  sums[at_weight + c] += a[at_x + c] * b[at_y];
                else if (is_data)
                  sums[at_x + c] += a[at_y] * b[at_weight + c];
                else
                  sums[at_y] += a[at_x + c] * b[at_weight + c];
              }
            }
          }
  for (int64_t i = 0; i < result.count(); ++i) {
    double sum = sums[static_cast<size_t>(i)];
    if (operation.has_bias) {
      const Elements bias(operation.bias, const_cast<void*>(data.bias));
      sum += static_cast<double>(bias.load(i % y.c()));
    }
    result.store(i, sum);
  }
}

}  // namespace layerwise::cuda_on_host
