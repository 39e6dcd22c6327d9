// Plain loops in place of cuBLAS and cuDNN, with their conventions: convolutions whose operands are all of one type.
// What the backend does around the libraries runs on them. They are there when the engine "cudnn" is asked for; "auto"
// stays with the kernels unless a test wants otherwise (library_stand_in.h).
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "backend/cuda/runtime.h"
#include "backend/cuda/vendor_engine.h"
#include "cuda_on_host/library_stand_in.h"
#include "cuda_on_host/runtime_state.h"

namespace layerwise::cuda {

namespace {

/// Calls body(n, oh, ow, kh, kw, h, w) for every position of the output and tap that meets the input.
template <class Body>
void for_each_tap(const Convolution& geometry, const Shape& x, const Shape& y, const Body& body) {
  for (int64_t n = 0; n < y.n; ++n)
    for (int64_t oh = 0; oh < y.h; ++oh)
      for (int64_t ow = 0; ow < y.w; ++ow)
        for (int64_t kh = 0; kh < geometry.kernel_height; ++kh)
          for (int64_t kw = 0; kw < geometry.kernel_width; ++kw) {
            const int64_t h = oh * geometry.stride - geometry.padding + kh;
            const int64_t w = ow * geometry.stride - geometry.padding + kw;
            if (h >= 0 && h < x.h && w >= 0 && w < x.w) body(n, oh, ow, kh, kw, h, w);
          }
}

int64_t at(const Shape& shape, int64_t n, int64_t h, int64_t w) { return ((n * shape.h + h) * shape.w + w) * shape.c; }

float load(const float* from, int64_t i) { return from[i]; }
float load(const Bfloat16* from, int64_t i) { return to_float(from[i]); }

/// Sums in float32, stored in the tensor's type.
class Sums {
 public:
  explicit Sums(const Tensor& tensor) : tensor_(tensor), values_(static_cast<size_t>(tensor.shape.elements())) {}
  float& operator[](int64_t i) { return values_[static_cast<size_t>(i)]; }
  void store() const {
    for (size_t i = 0; i < values_.size(); ++i) {
      if (tensor_.type == DataType::float32)
        tensor_.as<float>()[i] = values_[i];
      else
        tensor_.as<Bfloat16>()[i] = to_bfloat16(values_[i]);
    }
  }

 private:
  Tensor tensor_;
  std::vector<float> values_;
};

class StandIn final : public VendorEngine {
 public:
  explicit StandIn(cudaStream_t stream) : stream_(stream) {}

  std::string versions() const override { return "loops in place of cublas and cudnn"; }

  void multiply(const MatrixProduct& p) override {
    tell_test(true);
    give(p.factors, [=](auto* typed) {
      const auto* const a = static_cast<decltype(typed)>(const_cast<void*>(p.a));
      const auto* const b = static_cast<decltype(typed)>(const_cast<void*>(p.b));
      Sums c(p.c);
      for (int64_t i = 0; i < p.rows; ++i)
        for (int64_t j = 0; j < p.columns; ++j)
          for (int64_t k = 0; k < p.depth; ++k)
            c[i * p.columns + j] += load(a, p.a_transposed ? k * p.rows + i : i * p.depth + k) *
                                    load(b, p.b_transposed ? j * p.depth + k : k * p.columns + j);
      c.store();
    });
  }

  bool convolve(const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
                const Tensor& y) override {
    tell_test(false);
    require_one_type({x, weight, y, bias ? bias : y});
    give(x.type, [=](auto* typed) {
      using T = std::remove_pointer_t<decltype(typed)>;
      Sums sums(y);
      if (bias)
        for (int64_t i = 0; i < y.shape.elements(); ++i) sums[i] = load(bias.as<T>(), i % y.shape.c);
      for_each_tap(geometry, x.shape, y.shape, [&](auto n, auto oh, auto ow, auto kh, auto kw, auto h, auto w) {
        for (int64_t o = 0; o < y.shape.c; ++o)
          for (int64_t c = 0; c < x.shape.c; ++c)
            sums[at(y.shape, n, oh, ow) + o] +=
                load(x.as<T>(), at(x.shape, n, h, w) + c) * load(weight.as<T>(), at(weight.shape, o, kh, kw) + c);
      });
      sums.store();
    });
    return true;
  }

  bool convolve_weight_gradient(const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                                const Tensor& d_weight) override {
    tell_test(false);
    require_one_type({x, d_y, d_weight});
    give(x.type, [=](auto* typed) {
      using T = std::remove_pointer_t<decltype(typed)>;
      Sums sums(d_weight);
      for_each_tap(geometry, x.shape, d_y.shape, [&](auto n, auto oh, auto ow, auto kh, auto kw, auto h, auto w) {
        for (int64_t o = 0; o < d_y.shape.c; ++o)
          for (int64_t c = 0; c < x.shape.c; ++c)
            sums[at(d_weight.shape, o, kh, kw) + c] +=
                load(x.as<T>(), at(x.shape, n, h, w) + c) * load(d_y.as<T>(), at(d_y.shape, n, oh, ow) + o);
      });
      sums.store();
    });
    return true;
  }

  bool convolve_data_gradient(const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                              const Tensor& d_x) override {
    tell_test(false);
    require_one_type({d_y, weight, d_x});
    give(d_y.type, [=](auto* typed) {
      using T = std::remove_pointer_t<decltype(typed)>;
      Sums sums(d_x);
      for_each_tap(geometry, d_x.shape, d_y.shape, [&](auto n, auto oh, auto ow, auto kh, auto kw, auto h, auto w) {
        for (int64_t o = 0; o < d_y.shape.c; ++o)
          for (int64_t c = 0; c < d_x.shape.c; ++c)
            sums[at(d_x.shape, n, h, w) + c] +=
                load(d_y.as<T>(), at(d_y.shape, n, oh, ow) + o) * load(weight.as<T>(), at(weight.shape, o, kh, kw) + c);
      });
      sums.store();
    });
    return true;
  }

 private:
  /// As the libraries do it: in the order of the stream, or recorded where that is captured.
  template <class Body>
  void give(DataType type, const Body& body) const {
    check(cuda_on_host::submit(stream_, [type, body] { with_storage(type, body); }), "calling a library");
  }

  static void tell_test(bool is_product) {
    if (cuda_on_host::library_stand_in.before) cuda_on_host::library_stand_in.before(is_product);
  }
  static void require_one_type(std::initializer_list<Tensor> operands) {
    for (const Tensor& operand : operands)
      require(operand.type == operands.begin()->type, "cuDNN takes convolutions whose operands are all of one type");
  }

  cudaStream_t stream_;
};

}  // namespace

OpenedVendorEngine open_vendor_engine(cudaStream_t stream, Arena&, bool, const std::string& engine) {
  const bool is_there = engine == "cudnn" || (engine == "auto" && cuda_on_host::library_stand_in.under_auto);
  if (is_there) return {std::make_unique<StandIn>(stream), {}};
  return {nullptr, "the device cuda-on-host has loops in place of cuBLAS and cuDNN for the engine 'cudnn' only"};
}

}  // namespace layerwise::cuda
