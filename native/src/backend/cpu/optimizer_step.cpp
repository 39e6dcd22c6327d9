// SGD, Adam and AMSGrad over a block's parameters.
#include <algorithm>
#include <cmath>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

constexpr int64_t elements_per_copy = 1024;

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
  const bool is_sgd = op.rule == OptimizerStep::Rule::sgd;
  const AdamScalars scalars = is_sgd ? AdamScalars{} : adam_scalars(op, device.step.learning_rate);
  const Tensor maximum = op.rule == OptimizerStep::Rule::amsgrad ? op.maximum_second_moment : Tensor();
  const auto update = [&](int64_t begin, int64_t count) {
    if (is_sgd)
      device.loops.sgd(at(op.parameters, begin), at(op.gradients, begin), at(op.first_moment, begin), count,
                       static_cast<float>(device.step.learning_rate), static_cast<float>(op.momentum),
                       static_cast<float>(op.weight_decay));
    else
      device.loops.adam(at(op.parameters, begin), at(op.gradients, begin), at(op.first_moment, begin),
                        at(op.second_moment, begin), at(maximum, begin), count, scalars);
  };
  parallel_ranges(op.parameters.shape.elements(), [&](int64_t begin, int64_t end) {
    // The copy is written while the new parameters are in the nearest cache.
    const int64_t most = op.copy ? elements_per_copy : end - begin;
    for (int64_t i = begin; i < end; i += most) {
      const int64_t count = std::min(most, end - i);
      update(i, count);
      if (op.copy)
        device.loops.of<Bfloat16>().narrow(at(op.parameters, i), count, op.copy.as<Bfloat16>() + i);
    }
  });
}

}  // namespace layerwise::cpu
