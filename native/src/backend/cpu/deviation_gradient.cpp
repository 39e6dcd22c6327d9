// From the gradient at standard deviations over positions to that at the map.
#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

void deviation_gradient(Device& device, const DeviationGradient& op) {
  const Shape& shape = op.x.shape;
  const ArenaTensor coefficients = device.arena.take(DataType::float32, Shape::matrix(shape.n, shape.c));
  const float count = static_cast<float>(shape.positions() - 1);
  parallel_items(shape.n, shape.features(), [&](int64_t n) {
    const int64_t row = n * shape.c;
    float* const coefficient = coefficients.view().as<float>() + row;
    const float* const deviation = op.deviation.as<float>() + row;
    const float* const d_deviation = op.d_deviation.as<float>() + row;
    for (int64_t c = 0; c < shape.c; ++c)
      coefficient[c] = deviation[c] > 0 ? d_deviation[c] / (count * deviation[c]) : 0;
    device.loops.deviation_gradient(op.x.as<float>() + n * shape.features(), op.mean.as<float>() + row, coefficient,
                                    shape.positions(), shape.c, op.d_x.as<float>() + n * shape.features());
  });
}

}  // namespace layerwise::cpu
