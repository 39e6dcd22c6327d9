// SGD, Adam and AMSGrad over a block's parameters.
#include <cmath>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

AdamScalars adam_scalars(const OptimizerStep& op, double learning_rate) {
  const double t = *op.step_count;
  return {static_cast<float>(adam_beta1),
          static_cast<float>(adam_beta2),
          static_cast<float>(1 - adam_beta1),
          static_cast<float>(1 - adam_beta2),
          static_cast<float>(op.weight_decay),
          static_cast<float>(learning_rate / (1 - std::pow(adam_beta1, t))),
          static_cast<float>(1 / std::sqrt(1 - std::pow(adam_beta2, t))),
          static_cast<float>(adam_epsilon)};
}

float* at(const Tensor& tensor, int64_t element) { return tensor ? tensor.as<float>() + element : nullptr; }

}  // namespace

void optimizer_step(Device& device, const OptimizerStep& op) {
  *op.step_count += 1;
  const int64_t count = op.parameters.shape.elements();
  if (op.rule == OptimizerStep::Rule::sgd) {
    parallel_ranges(count, [&](int64_t begin, int64_t end) {
      device.loops.sgd(at(op.parameters, begin), at(op.gradients, begin), at(op.first_moment, begin), end - begin,
                       static_cast<float>(device.step.learning_rate), static_cast<float>(op.momentum),
                       static_cast<float>(op.weight_decay));
    });
    return;
  }
  const AdamScalars scalars = adam_scalars(op, device.step.learning_rate);
  const Tensor maximum = op.rule == OptimizerStep::Rule::amsgrad ? op.maximum_second_moment : Tensor();
  parallel_ranges(count, [&](int64_t begin, int64_t end) {
    device.loops.adam(at(op.parameters, begin), at(op.gradients, begin), at(op.first_moment, begin),
                      at(op.second_moment, begin), at(maximum, begin), end - begin, scalars);
  });
}

}  // namespace layerwise::cpu
