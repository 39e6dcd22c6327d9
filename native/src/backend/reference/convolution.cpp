#include "backend/reference/convolution.h"

#include <algorithm>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

namespace {

/// Where one row of the kernel, at one position of y, meets x: `length` elements that follow one another
/// both in x and in each output channel's weights, since channels are last in both.
struct Contact {
  int64_t x, weight, y;  // offsets of the first element; y's is that of the position's first channel
  int64_t length;
};

/// Calls visit(contact) for all of them, in the order of y. What lies in the padding is left out.
template <class Visit>
void for_each_contact(const Convolution& convolution, const Shape& x, const Shape& y, Visit visit) {
  for (int64_t n = 0; n < y.n; ++n) {
    for (int64_t oh = 0; oh < y.h; ++oh) {
      for (int64_t ow = 0; ow < y.w; ++ow) {
        const int64_t left = ow * convolution.stride - convolution.padding;
        const int64_t begin = std::max<int64_t>(0, -left);
        const int64_t end = std::min(convolution.kernel_width, x.w - left);
        for (int64_t kh = 0; kh < convolution.kernel_height; ++kh) {
          const int64_t ih = oh * convolution.stride + kh - convolution.padding;
          if (ih < 0 || ih >= x.h || begin >= end) continue;
          visit(Contact{((n * x.h + ih) * x.w + left + begin) * x.c, (kh * convolution.kernel_width + begin) * x.c,
                        ((n * y.h + oh) * y.w + ow) * y.c, (end - begin) * x.c});
        }
      }
    }
  }
}

/// Σ a·b, in four sums that do not wait for one another.
double dot(const double* a, const double* b, int64_t length) {
  double sum[4] = {0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 4 <= length; i += 4)
    for (int64_t j = 0; j < 4; ++j) sum[j] += a[i + j] * b[i + j];
  for (; i < length; ++i) sum[0] += a[i] * b[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// b ← b + factor · a.
void add_multiple(double factor, const double* a, double* b, int64_t length) {
  for (int64_t i = 0; i < length; ++i) b[i] += factor * a[i];
}

}  // namespace

void convolve(const Convolution& convolution, const Tensor& x_tensor, const Tensor& weight, const Tensor& bias,
              const Tensor& y_tensor) {
  const int64_t out_channels = y_tensor.shape.c, fan_in = weight.shape.features();
  const double* x = x_tensor.as<double>();
  const double* w = weight.as<double>();
  double* y = y_tensor.as<double>();
  for (int64_t i = 0; i < y_tensor.shape.elements(); ++i) y[i] = bias ? bias.as<double>()[i % out_channels] : 0;
  for_each_contact(convolution, x_tensor.shape, y_tensor.shape, [&](const Contact& at) {
    for (int64_t o = 0; o < out_channels; ++o)
      y[at.y + o] += dot(x + at.x, w + o * fan_in + at.weight, at.length);
  });
}

void convolution_weight_gradient(const Convolution& convolution, const Tensor& x_tensor, const Tensor& dy_tensor,
                                 const Tensor& d_weight) {
  const int64_t out_channels = dy_tensor.shape.c, fan_in = d_weight.shape.features();
  const double* x = x_tensor.as<double>();
  const double* dy = dy_tensor.as<double>();
  double* dw = d_weight.as<double>();
  Elements(d_weight).fill(0);
  for_each_contact(convolution, x_tensor.shape, dy_tensor.shape, [&](const Contact& at) {
    for (int64_t o = 0; o < out_channels; ++o)
      add_multiple(dy[at.y + o], x + at.x, dw + o * fan_in + at.weight, at.length);
  });
}

void add_convolution_data_gradient(const Convolution& convolution, const Tensor& dy_tensor, const Tensor& weight,
                                   const Tensor& dx_tensor) {
  const int64_t out_channels = dy_tensor.shape.c, fan_in = weight.shape.features();
  const double* dy = dy_tensor.as<double>();
  const double* w = weight.as<double>();
  double* dx = dx_tensor.as<double>();
  for_each_contact(convolution, dx_tensor.shape, dy_tensor.shape, [&](const Contact& at) {
    for (int64_t o = 0; o < out_channels; ++o)
      add_multiple(dy[at.y + o], w + o * fan_in + at.weight, dx + at.x, at.length);
  });
}

void convolution_forward(const ConvolutionForward& op, const StepState& state) {
  convolve(op.convolution, op.x, op.weight, op.bias, op.y);
  moments_of_tensor({op.moments, op.y, op.mean, op.spread}, state);
}

}  // namespace reference
}  // namespace layerwise
