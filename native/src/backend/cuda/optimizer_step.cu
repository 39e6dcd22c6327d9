#include "backend/cuda/optimizer_step.cuh"

#include <cmath>

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

namespace {

constexpr int blocks_per_multiprocessor = 8;  // as many as are resident at once

template <layerwise_optim rule>
void launch(const Device& device, const OptimizerArguments& arguments) {
  const unsigned blocks = blocks_for(arguments.count, optimizer_threads * optimizer_vector,
                                     device.multiprocessors * blocks_per_multiprocessor);
  LAYERWISE_LAUNCH(optimizer_step_kernel<rule>, blocks, optimizer_threads, 0, device.stream, arguments);
}

}  // namespace

void optimizer_step(Device& device, const OptimizerStep& op) {
  OptimizerArguments arguments{};
  arguments.parameters = op.parameters.as<float>();
  arguments.gradients = op.gradients.as<float>();
  arguments.copy = op.copy.as<Bfloat16>();
  arguments.first_moment = op.first_moment.as<float>();
  arguments.second_moment = op.second_moment.as<float>();
  arguments.maximum_second_moment = op.maximum_second_moment.as<float>();
  arguments.count = op.parameters.shape.elements();
  arguments.step_count = op.step_count;
  arguments.step = device.step;
  arguments.ticket = device.ticket;
  arguments.log_beta1 = std::log(adam_beta1);
  arguments.log_beta2 = std::log(adam_beta2);
  arguments.settings = op.settings;
  with_rule(op.settings.optim, [&](auto rule) { launch<rule>(device, arguments); });
}

}  // namespace layerwise::cuda
