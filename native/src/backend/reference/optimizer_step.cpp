#include <cmath>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void optimizer_step(const OptimizerStep& op, const StepState& state) {
  const double t = ++*op.step_count;
  const bool is_sgd = op.settings.optim == LAYERWISE_OPTIM_SGD;
  const auto scalars =
      optimizer_scalars<double>(op.settings, is_sgd ? state.learning_rate : state.learning_rate / (1 - std::pow(adam_beta1, t)),
                                is_sgd ? 1 : 1 / std::sqrt(1 - std::pow(adam_beta2, t)));
  const Elements parameters(op.parameters), gradients(op.gradients);
  const Elements copy(op.copy), first(op.first_moment), second(op.second_moment), maximum(op.maximum_second_moment);
  with_rule(op.settings.optim, [&](auto rule) {
    for (int64_t i = 0; i < op.parameters.shape.elements(); ++i) {
      OptimizerElement<double> e{parameters[i], gradients[i], op.first_moment ? first[i] : 0,
                                 op.second_moment ? second[i] : 0, op.maximum_second_moment ? maximum[i] : 0};
      update_parameter<rule>(e, scalars);
      parameters[i] = e.w;
      if (op.first_moment) first[i] = e.m;
      if (op.second_moment) second[i] = e.v;
      if (op.maximum_second_moment) maximum[i] = e.maximum;
      if (op.copy) copy[i] = e.w;
    }
  });
}

}  // namespace reference
}  // namespace layerwise
