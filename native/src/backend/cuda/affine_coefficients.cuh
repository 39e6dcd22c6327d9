// The coefficients of the affine prologues (operand_loaders.cuh), worked out once per channel, or per sample
// and channel. A thread per set of coefficients; bytes and FLOPs: too few to show.
#pragma once

#include "backend/cuda/device_code.h"

namespace layerwise::cuda {

constexpr int coefficient_threads = 128;

/// dz = a · z + b = a · (z − mean), a = d_deviation / ((positions − 1) · deviation), 0 where deviation is 0.
__global__ void __launch_bounds__(coefficient_threads)
    deviation_coefficients_kernel(float2* coefficients, const float* mean, const float* deviation,
                                  const float* d_deviation, int64_t count, float degrees_of_freedom) {
  const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (i >= count) return;
  const float spread = deviation[i];
  const float a = spread == 0 ? 0.0f : d_deviation[i] / (degrees_of_freedom * spread);
  coefficients[i] = {a, -a * mean[i]};
}

struct BatchNormStatistics {
  const float *mean, *variance, *scale, *d_scale, *d_shift;  // (C)
};

/// dy = a · g + b · y + c = scale · r · (g − d_shift / M − (y − mean) · r · d_scale / M),
/// r = 1 / sqrt(variance + 1e-5).
__global__ void __launch_bounds__(coefficient_threads)
    batch_norm_coefficients_kernel(float* coefficients, BatchNormStatistics s, int channels, float count,
                                   float epsilon) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= channels) return;
  const float r = 1 / sqrtf(s.variance[c] + epsilon);
  const float a = s.scale[c] * r, b = -a * r * s.d_scale[c] / count;
  coefficients[3 * c] = a;
  coefficients[3 * c + 1] = b;
  coefficients[3 * c + 2] = -a * s.d_shift[c] / count - b * s.mean[c];
}

}  // namespace layerwise::cuda
