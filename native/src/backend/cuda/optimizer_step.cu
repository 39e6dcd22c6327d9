// SGD, Adam, AMSGrad and AdamW over one contiguous vector of parameters, in one launch.
//
// Threads: each takes 4 neighbouring parameters, 16 bytes of every vector, and goes on in steps of the
// whole grid; at the end a thread takes what is left one by one. Thread 0 of each block works out the
// scalars that are the same for all parameters. The block that is the last to have read the step count
// writes the new one.
// Bytes per parameter: sgd 12, with momentum 20, adam 28, amsgrad 36 (read gradient, read and write the
// others), 8 more for an average, and 2 for the bfloat16 copy. FLOPs: below 20 per parameter, none of which show.
// Floor on an H100: parameters · bytes / 3.0 TB/s.
#include <cmath>

#include "backend/backend.h"
#include "backend/cuda/device_code.h"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

constexpr int optimizer_threads = 256;
constexpr int optimizer_vector = 4;

struct OptimizerArguments {
  float* parameters;
  const float* gradients;
  Bfloat16* copy;         // or null
  float* first_moment;    // null for sgd without momentum
  float* second_moment;
  float* maximum_second_moment;
  float* average;                // or null
  const float* squared_gradient_norm;  // or null
  int64_t count;
  double* step_count;
  bool counts;
  double rate_factor;
  const StepState* step;
  unsigned* ticket;
  double log_beta1, log_beta2;
  layerwise_optimizer settings;
};

/// `width` elements from `begin`: 4, aligned to 16 bytes, or 1.
template <layerwise_optim rule, int width>
__device__ __forceinline__ void update_elements(const OptimizerArguments& a, const OptimizerScalars<float>& scalars,
                                                int64_t begin) {
  constexpr bool adaptive = rule != LAYERWISE_OPTIM_SGD;
  constexpr bool keeps_maximum = rule == LAYERWISE_OPTIM_AMSGRAD;
  const auto load = [begin](const float* from, float(&to)[width]) {
    if constexpr (width == optimizer_vector)
      load_elements(from + begin, to);
    else
      to[0] = from[begin];
  };
  const auto store = [begin](float* to, const float(&from)[width]) {
    if constexpr (width == optimizer_vector)
      store_elements(to + begin, from);
    else
      to[begin] = from[0];
  };
  float w[width], g[width], m[width] = {}, v[width] = {}, maximum[width] = {}, average[width] = {};
  load(a.parameters, w);
  load(a.gradients, g);
  if (a.first_moment != nullptr) load(a.first_moment, m);
  if (adaptive) load(a.second_moment, v);
  if (keeps_maximum) load(a.maximum_second_moment, maximum);
  if (a.average != nullptr) load(a.average, average);
  for (int i = 0; i < width; ++i) {
    OptimizerElement<float> e{w[i], g[i], m[i], v[i], maximum[i], average[i]};
    update_parameter<rule>(e, scalars);
    if (a.average != nullptr) update_average(e, scalars);
    average[i] = e.average;
    w[i] = e.w;
    m[i] = e.m;
    v[i] = e.v;
    maximum[i] = e.maximum;
  }
  store(a.parameters, w);
  if (a.first_moment != nullptr) store(a.first_moment, m);
  if (adaptive) store(a.second_moment, v);
  if (keeps_maximum) store(a.maximum_second_moment, maximum);
  if (a.average != nullptr) store(a.average, average);
  if (a.copy == nullptr) return;
  if constexpr (width == optimizer_vector)
    store_four(a.copy + begin, w);
  else
    store_element(a.copy + begin, w[0]);
}

template <layerwise_optim rule>
__global__ void __launch_bounds__(optimizer_threads, 4) optimizer_step_kernel(OptimizerArguments a) {
  begin_kernel();
  LAYERWISE_SHARED(OptimizerScalars<float>, scalars, );
  if (threadIdx.x == 0) {
    const double t = *a.step_count + (a.counts ? 1 : 0);
    const double rate = a.rate_factor * a.step->learning_rate;
    const double clip =
        a.squared_gradient_norm != nullptr ? clip_factor(a.settings.clip_grad_norm, *a.squared_gradient_norm) : 1;
    scalars = rule == LAYERWISE_OPTIM_SGD
                  ? optimizer_scalars<float>(a.settings, rate, 1, rate, t, clip)
                  : optimizer_scalars<float>(a.settings, rate / -expm1(t * a.log_beta1),  // 1 − βᵗ without cancellation
                                             1 / sqrt(-expm1(t * a.log_beta2)), rate, t, clip);
    __threadfence();
    if (atomicInc(a.ticket, gridDim.x - 1) == gridDim.x - 1) *a.step_count = t;
  }
  __syncthreads();

  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * optimizer_vector;
  int64_t begin = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * optimizer_vector;
  for (; begin < a.count; begin += step) {
    if (begin + optimizer_vector <= a.count) {
      update_elements<rule, optimizer_vector>(a, scalars, begin);
    } else {
      for (int64_t i = begin; i < a.count; ++i) update_elements<rule, 1>(a, scalars, i);
    }
  }
}

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
  arguments.average = op.average.as<float>();
  arguments.squared_gradient_norm = op.squared_gradient_norm.as<float>();
  arguments.counts = op.counts;
  arguments.rate_factor = op.rate_factor;
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
