// Means with variances or standard deviations of a tensor.
#include <cmath>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

/// Mean and biased variance per channel, over all samples and positions.
template <class A>
void channel_moments(Device& device, const Tensor& x, const Tensor& mean, const Tensor& variance) {
  const int64_t rows = x.shape.n * x.shape.positions(), channels = x.shape.c;
  const Partition pieces = partition_items(rows, channels);
  const ArenaTensor means = take_doubles(device, pieces.count(), channels);
  const ArenaTensor squares = take_doubles(device, pieces.count(), channels);
  const ArenaTensor scratch = take_floats(device, pieces.count(), 3 * channels);
  double* const first_mean = means.view().as<double>();
  double* const first_squares = squares.view().as<double>();
  const int64_t stride = means.view().shape.c;
  parallel_for(pieces.count(), [&](int64_t i) {
    device.loops.of<A>().moments(x.as<A>() + pieces.begin(i) * channels, pieces.size(i), channels,
                         scratch.view().as<float>() + i * scratch.view().shape.c, first_mean + i * stride,
                         first_squares + i * stride);
  });
  for (int64_t i = 1; i < pieces.count(); ++i)
    device.loops.merge_moments(first_mean, first_squares, pieces.begin(i), first_mean + i * stride,
                               first_squares + i * stride, pieces.size(i), channels);
  for (int64_t c = 0; c < channels; ++c) {
    mean.as<float>()[c] = static_cast<float>(first_mean[c]);
    variance.as<float>()[c] = static_cast<float>(first_squares[c] / static_cast<double>(rows));
  }
}

/// Mean and unbiased standard deviation per sample and channel, over positions; the latter 0 where there
/// is one position.
template <class A>
void sample_channel_moments(Device& device, const Tensor& x, const Tensor& mean, const Tensor& deviation) {
  const int64_t positions = x.shape.positions(), channels = x.shape.c;
  const ArenaTensor means = take_doubles(device, x.shape.n, channels);
  const ArenaTensor squares = take_doubles(device, x.shape.n, channels);
  const ArenaTensor scratch = take_floats(device, x.shape.n, 3 * channels);
  const double reciprocal = positions > 1 ? 1.0 / static_cast<double>(positions - 1) : 0;
  parallel_items(x.shape.n, x.shape.features(), [&](int64_t n) {
    double* const sample_mean = means.view().as<double>() + n * means.view().shape.c;
    double* const sample_squares = squares.view().as<double>() + n * squares.view().shape.c;
    device.loops.of<A>().moments(x.as<A>() + n * x.shape.features(), positions, channels,
                         scratch.view().as<float>() + n * scratch.view().shape.c, sample_mean, sample_squares);
    for (int64_t c = 0; c < channels; ++c) {
      mean.as<float>()[n * channels + c] = static_cast<float>(sample_mean[c]);
      deviation.as<float>()[n * channels + c] = static_cast<float>(std::sqrt(sample_squares[c] * reciprocal));
    }
  });
}

}  // namespace

void moments_of_tensor(Device& device, const MomentsOfTensor& op) {
  if (op.moments == ConvolutionForward::Moments::none) return;
  with_storage(op.x.type, [&](auto a) {
    using A = decltype(a);
    if (op.moments == ConvolutionForward::Moments::channel)
      channel_moments<A>(device, op.x, op.mean, op.spread);
    else
      sample_channel_moments<A>(device, op.x, op.mean, op.spread);
  });
}

}  // namespace layerwise::cpu
