// From the gradient at standard deviations over positions to that at the map.
#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

ArenaTensor deviation_coefficients(Device& device, const Tensor& deviation, const Tensor& d_deviation,
                                   int64_t positions) {
  ArenaTensor result = device.arena.take(DataType::float32, deviation.shape);
  const auto count = static_cast<float>(positions - 1);
  for (int64_t i = 0; i < deviation.shape.elements(); ++i) {
    const float value = deviation.as<float>()[i];
    result.view().as<float>()[i] = value > 0 ? d_deviation.as<float>()[i] / (count * value) : 0;
  }
  return result;
}

/// d_x may be x here.
void deviation_gradient(Device& device, const DeviationGradient& op) {
  const Shape& shape = op.x.shape;
  const ArenaTensor coefficients = deviation_coefficients(device, op.deviation, op.d_deviation, shape.positions());
  with_storage(op.x.type, [&](auto a) {
    using A = decltype(a);
    parallel_items(shape.n, shape.features(), [&](int64_t n) {
      const int64_t row = n * shape.c, first = n * shape.features();
      device.loops.of<A>().deviation_gradient(op.x.as<A>() + first, op.mean.as<float>() + row,
                                              coefficients.view().as<float>() + row, shape.positions(), shape.c,
                                              op.d_x.as<A>() + first);
    });
  });
}

}  // namespace layerwise::cpu
