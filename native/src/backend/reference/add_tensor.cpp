#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void add_tensor(const AddTensor& op, const StepState&) {
  const Elements addend(op.addend), sum(op.sum);
  for (int64_t i = 0; i < op.sum.shape.elements(); ++i) sum[i] += addend[i];
}

}  // namespace reference
}  // namespace layerwise
