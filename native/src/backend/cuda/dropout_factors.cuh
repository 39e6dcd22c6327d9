// What dropout multiplies the channels of each sample by: 0 or 1 / (1 − probability). (N, C) numbers, so
// that kernels over maps need not work out random words for every position.
//
// Threads: each takes the four words of one Philox counter, elements 4i … 4i + 3.
// Bytes: 4 · N · C, written once. FLOPs: about 100 integer operations per four elements.
#pragma once

#include "backend/backend.h"
#include "backend/cuda/device_code.h"

namespace layerwise::cuda {

constexpr int dropout_factor_threads = 128;

__global__ void __launch_bounds__(dropout_factor_threads)
    dropout_factors_kernel(float* factors, int64_t count, const StepState* step, uint32_t stream, uint32_t threshold,
                           float kept) {
  begin_kernel();
  const int64_t index = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (4 * index >= count) return;
  const RandomKey key{step->seed, RandomPurpose::dropout, stream, step->step};
  const PhiloxWords words = random_words(key, static_cast<uint64_t>(index));
  LAYERWISE_UNROLL
  for (int i = 0; i < 4; ++i)
    if (4 * index + i < count) factors[4 * index + i] = words.word[i] < threshold ? 0.0f : kept;
}

}  // namespace layerwise::cuda
