// Batch-norm backward.
#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

// With the coefficients of a channel,
//   dy = multiplier · (g − mean_g − (y − mean) · slope), with multiplier = scale / sqrt(variance + ε),
//   mean_g = d_shift / M and slope = d_scale / (M · sqrt(variance + ε)).
void batch_norm_gradient(Device& device, const BatchNormGradient& op) {
  const int64_t channels = op.g.shape.c, rows = op.g.shape.n * op.g.shape.positions();
  const ArenaTensor coefficients = take_floats(device, 3, channels);
  float* const multiplier = coefficients.view().as<float>();
  float* const mean_g = multiplier + coefficients.view().shape.c;
  float* const slope = mean_g + coefficients.view().shape.c;
  for (int64_t c = 0; c < channels; ++c) {
    const double inverse = inverse_deviation(op.variance.as<float>()[c]);
    multiplier[c] = static_cast<float>(op.scale.as<float>()[c] * inverse);
    mean_g[c] = static_cast<float>(op.d_shift.as<float>()[c] / static_cast<double>(rows));
    slope[c] = static_cast<float>(op.d_scale.as<float>()[c] * inverse / static_cast<double>(rows));
  }
  const Partition pieces = partition_items(rows, channels);
  parallel_for(pieces.count(), [&](int64_t i) {
    const int64_t first = pieces.begin(i) * channels;
    device.loops.batch_norm_gradient(op.g.as<float>() + first, op.y.as<float>() + first, multiplier, mean_g,
                                     op.mean.as<float>(), slope, pieces.size(i), channels, op.d_y.as<float>() + first);
    if (op.addend)
      device.loops.add_scaled(op.d_y.as<float>() + first, op.addend.as<float>() + first, nullptr,
                              pieces.size(i) * channels, 1);
  });
}

}  // namespace layerwise::cpu
