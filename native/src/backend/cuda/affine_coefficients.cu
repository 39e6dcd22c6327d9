#include "backend/cuda/affine_coefficients.cuh"

#include "backend/cuda/affine_coefficients.h"

namespace layerwise::cuda {

ArenaTensor deviation_coefficients(const Device& device, const HiddenGradient& op) {
  const Shape& map = op.h.shape;
  const int64_t count = map.n * map.c;
  ArenaTensor coefficients = device.arena.take(DataType::float32, {map.n, 1, map.c, 2});
  LAYERWISE_LAUNCH(deviation_coefficients_kernel, blocks_for(count, coefficient_threads), coefficient_threads, 0,
                   device.stream, static_cast<float2*>(coefficients.view().data),
                   static_cast<const float*>(op.mean.as<float>()), static_cast<const float*>(op.deviation.as<float>()),
                   static_cast<const float*>(op.d_deviation.as<float>()), count,
                   static_cast<float>(map.positions() - 1));
  return coefficients;
}

ArenaTensor batch_norm_coefficients(const Device& device, const EncoderGradient& op) {
  const int64_t channels = op.g.shape.c;
  ArenaTensor coefficients = device.arena.take(DataType::float32, Shape::matrix(channels, 3));
  const BatchNormStatistics statistics{op.mean.as<float>(), op.variance.as<float>(), op.scale.as<float>(),
                                       op.d_scale.as<float>(), op.d_shift.as<float>()};
  LAYERWISE_LAUNCH(batch_norm_coefficients_kernel, blocks_for(channels, coefficient_threads), coefficient_threads, 0,
                   device.stream, coefficients.view().as<float>(), statistics,
                   static_cast<int>(channels), static_cast<float>(op.g.shape.n * op.g.shape.positions()),
                   static_cast<float>(batch_norm_epsilon));
  return coefficients;
}

}  // namespace layerwise::cuda
