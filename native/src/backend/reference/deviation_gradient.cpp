#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void deviation_gradient(const DeviationGradient& op, const StepState&) {
  const Elements x(op.x), mean(op.mean), deviation(op.deviation), d_deviation(op.d_deviation), d_x(op.d_x);
  const double freedom = static_cast<double>(op.x.shape.positions() - 1);
  for_each_element(op.x.shape, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
    d_x(n, h, w, c) = deviation(n, c) == 0
                          ? 0
                          : d_deviation(n, c) * (x(n, h, w, c) - mean(n, c)) / (freedom * deviation(n, c));
  });
}

}  // namespace reference
}  // namespace layerwise
