#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void sum_of_squares(const SumOfSquares& op, const StepState&) {
  const Elements values(op.values), sum(op.sum);
  double total = 0;
  for (int64_t i = 0; i < op.values.shape.elements(); ++i) total += values[i] * values[i];
  sum[0] = total;
}

}  // namespace reference
}  // namespace layerwise
