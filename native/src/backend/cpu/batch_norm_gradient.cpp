// Batch-norm backward.
#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

BatchNormCoefficients::BatchNormCoefficients(Device& device, const BatchNormGradient& op)
    : memory(take_floats(device, 3, op.g.shape.c)), multiplier(memory.view().as<float>()),
      mean_g(multiplier + memory.view().shape.c), slope(mean_g + memory.view().shape.c) {
  const int64_t rows = op.g.shape.n * op.g.shape.positions();
  for (int64_t c = 0; c < op.g.shape.c; ++c) {
    const double inverse = inverse_deviation(op.variance.as<float>()[c]);
    multiplier[c] = static_cast<float>(op.scale.as<float>()[c] * inverse);
    mean_g[c] = static_cast<float>(op.d_shift.as<float>()[c] / static_cast<double>(rows));
    slope[c] = static_cast<float>(op.d_scale.as<float>()[c] * inverse / static_cast<double>(rows));
  }
}

void batch_norm_gradient(Device& device, const BatchNormGradient& op) {
  const int64_t channels = op.g.shape.c, rows = op.g.shape.n * op.g.shape.positions();
  const BatchNormCoefficients of(device, op);
  const Partition pieces = partition_items(rows, channels);
  with_storage(op.g.type, [&](auto a) {
    using A = decltype(a);
    parallel_for(pieces.count(), [&](int64_t i) {
      const int64_t first = pieces.begin(i) * channels;
      device.loops.of<A>().batch_norm_gradient(op.g.as<A>() + first, op.y.as<A>() + first, of.multiplier, of.mean_g,
                                               op.mean.as<float>(), of.slope,
                                               op.addend ? op.addend.as<A>() + first : nullptr, pieces.size(i),
                                               channels, op.d_y.as<A>() + first);
    });
  });
}

}  // namespace layerwise::cpu
