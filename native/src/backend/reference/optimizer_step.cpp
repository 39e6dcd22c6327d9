#include <cmath>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void optimizer_step(const OptimizerStep& op, const StepState& state) {
  if (op.counts) ++*op.step_count;
  const double t = *op.step_count, learning_rate = op.rate_factor * state.learning_rate;
  const bool is_sgd = op.settings.optim == LAYERWISE_OPTIM_SGD;
  const double clip = op.squared_gradient_norm
                          ? clip_factor(op.settings.clip_grad_norm, Elements(op.squared_gradient_norm)[0])
                          : 1;
  const auto scalars = optimizer_scalars<double>(
      op.settings, is_sgd ? learning_rate : learning_rate / (1 - std::pow(adam_beta1, t)),
      is_sgd ? 1 : 1 / std::sqrt(1 - std::pow(adam_beta2, t)), learning_rate, t, clip);
  const Elements parameters(op.parameters), gradients(op.gradients);
  const Elements copy(op.copy), first(op.first_moment), second(op.second_moment), maximum(op.maximum_second_moment);
  const Elements average(op.average);
  with_rule(op.settings.optim, [&](auto rule) {
    for (int64_t i = 0; i < op.parameters.shape.elements(); ++i) {
      OptimizerElement<double> e{parameters[i], gradients[i], op.first_moment ? first[i] : 0,
                                 op.second_moment ? second[i] : 0, op.maximum_second_moment ? maximum[i] : 0,
                                 op.average ? average[i] : 0};
      update_parameter<rule>(e, scalars);
      if (op.average) {
        update_average(e, scalars);
        average[i] = e.average;
      }
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
