#include <cmath>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

namespace {

/// Mean and biased variance of each channel over samples and positions.
void channel_moments(const Tensor& x_tensor, const Tensor& mean_tensor, const Tensor& variance_tensor) {
  const Shape shape = x_tensor.shape;
  const double count = static_cast<double>(shape.n * shape.positions());
  const Elements x(x_tensor), mean(mean_tensor), variance(variance_tensor);
  mean.fill(0);
  variance.fill(0);
  for_each_element(shape, [&](int64_t n, int64_t h, int64_t w, int64_t c) { mean[c] += x(n, h, w, c) / count; });
  for_each_element(shape, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
    const double centred = x(n, h, w, c) - mean[c];
    variance[c] += centred * centred / count;
  });
}

/// Mean and unbiased standard deviation over positions of each sample and channel.
void sample_channel_moments(const Tensor& x_tensor, const Tensor& mean_tensor, const Tensor& deviation_tensor) {
  const Shape shape = x_tensor.shape;
  const double positions = static_cast<double>(shape.positions());
  const Elements x(x_tensor), mean(mean_tensor), deviation(deviation_tensor);
  for (int64_t n = 0; n < shape.n; ++n) {
    for (int64_t c = 0; c < shape.c; ++c) {
      double sum = 0;
      for (int64_t h = 0; h < shape.h; ++h)
        for (int64_t w = 0; w < shape.w; ++w) sum += x(n, h, w, c);
      mean(n, c) = sum / positions;
      double squares = 0;
      for (int64_t h = 0; h < shape.h; ++h)
        for (int64_t w = 0; w < shape.w; ++w) squares += std::pow(x(n, h, w, c) - mean(n, c), 2);
      deviation(n, c) = std::sqrt(squares / (positions - 1));
    }
  }
}

}  // namespace

void moments_of_tensor(const MomentsOfTensor& op, const StepState&) {
  switch (op.moments) {
    case ConvolutionForward::Moments::none: break;
    case ConvolutionForward::Moments::channel: channel_moments(op.x, op.mean, op.spread); break;
    case ConvolutionForward::Moments::sample_channel: sample_channel_moments(op.x, op.mean, op.spread); break;
  }
}

}  // namespace reference
}  // namespace layerwise
