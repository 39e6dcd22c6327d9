#include <algorithm>
#include <cmath>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void optimizer_step(const OptimizerStep& op, const StepState& state) {
  const double t = ++*op.step_count;
  const double correction1 = 1 - std::pow(adam_beta1, t);
  const double correction2 = 1 - std::pow(adam_beta2, t);
  const Elements parameters(op.parameters), gradients(op.gradients);
  const Elements copy(op.copy), first(op.first_moment), second(op.second_moment), maximum(op.maximum_second_moment);

  for (int64_t i = 0; i < op.parameters.shape.elements(); ++i) {
    const double g = gradients[i] + op.weight_decay * parameters[i];
    if (op.rule == OptimizerStep::Rule::sgd) {
      if (op.first_moment) first[i] = op.momentum * first[i] + g;
      parameters[i] -= state.learning_rate * (op.first_moment ? first[i] : g);
      if (op.copy) copy[i] = parameters[i];
      continue;
    }
    first[i] = adam_beta1 * first[i] + (1 - adam_beta1) * g;
    second[i] = adam_beta2 * second[i] + (1 - adam_beta2) * g * g;
    double v = second[i];
    if (op.rule == OptimizerStep::Rule::amsgrad) v = maximum[i] = std::max(maximum[i], second[i]);
    parameters[i] -= state.learning_rate / correction1 * first[i] / (std::sqrt(v) / std::sqrt(correction2) + adam_epsilon);
    if (op.copy) copy[i] = parameters[i];
  }
}

}  // namespace reference
}  // namespace layerwise
