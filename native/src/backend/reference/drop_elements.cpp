#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void drop_elements(const DropElements& op, const StepState& state) {
  const RandomKey key{state.seed, RandomPurpose::dropout, op.dropout.stream, state.step};
  const uint32_t threshold = dropout_threshold(op.dropout.probability);
  const double kept = 1 / (1 - op.dropout.probability);
  const Elements x(op.x), output(op.output);
  const int64_t first = state.first_sample * op.x.shape.features();
  for (int64_t i = 0; i < op.x.shape.elements(); ++i)
    output[i] = random_word(key, static_cast<uint64_t>(first + i)) < threshold ? 0 : x[i] * kept;
}

}  // namespace reference
}  // namespace layerwise
