#include <cmath>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void batch_norm_gradient(const BatchNormGradient& op, const StepState&) {
  const Elements g(op.g), dy(op.d_y), y(op.y), mean(op.mean), variance(op.variance), scale(op.scale);
  const Elements d_scale(op.d_scale), d_shift(op.d_shift);
  const double count = static_cast<double>(op.g.shape.n * op.g.shape.positions());
  for_each_element(op.g.shape, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
    const double deviation = std::sqrt(variance[c] + batch_norm_epsilon);
    const double normalized = (y(n, h, w, c) - mean[c]) / deviation;
    dy(n, h, w, c) =
        scale[c] / deviation * (g(n, h, w, c) - d_shift[c] / count - normalized * d_scale[c] / count);
    if (op.addend) dy(n, h, w, c) += Elements(op.addend)(n, h, w, c);
  });
}

}  // namespace reference
}  // namespace layerwise
