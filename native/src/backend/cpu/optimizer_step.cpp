// SGD, Adam, AMSGrad and AdamW over a block's parameters.
#include <algorithm>
#include <cmath>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

constexpr int64_t elements_per_copy = 1024;

OptimizerScalars<float> scalars_of(const OptimizerStep& op, double learning_rate) {
  const double t = *op.step_count;
  const double clip = op.squared_gradient_norm
                          ? clip_factor(op.settings.clip_grad_norm, *op.squared_gradient_norm.as<float>())
                          : 1;
  const bool is_sgd = op.settings.optim == LAYERWISE_OPTIM_SGD;
  return optimizer_scalars<float>(op.settings, is_sgd ? learning_rate : learning_rate / (1 - std::pow(adam_beta1, t)),
                                  is_sgd ? 1 : 1 / std::sqrt(1 - std::pow(adam_beta2, t)), learning_rate, t, clip);
}

float* at(const Tensor& tensor, int64_t element) { return tensor ? tensor.as<float>() + element : nullptr; }

}  // namespace

void optimizer_step(Device& device, const OptimizerStep& op) {
  if (op.counts) *op.step_count += 1;
  const OptimizerScalars<float> scalars = scalars_of(op, op.rate_factor * device.step.learning_rate);
  const auto update = [&](int64_t begin, int64_t count) {
    const OptimizerVectors vectors{at(op.parameters, begin), at(op.gradients, begin), at(op.first_moment, begin),
                                   at(op.second_moment, begin), at(op.maximum_second_moment, begin),
                                   at(op.average, begin)};
    device.loops.optimizer_step(op.settings.optim, vectors, count, scalars);
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
