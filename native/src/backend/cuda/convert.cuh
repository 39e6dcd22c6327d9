// Elementwise steps around what libraries compute: other types, biases, prologues written out.
//
// Threads: each takes one element, then the one as many elements further on as the grid has threads; neighbours
// in a warp take neighbours in memory. Bytes: read and written once each. Floor on an H100: that / 3.0 TB/s.
#pragma once

#include "backend/cuda/device_code.h"
#include "backend/cuda/operand_loaders.cuh"

namespace layerwise::cuda {

constexpr int convert_threads = 256;

template <class From, class To>
__global__ void __launch_bounds__(convert_threads)
    convert_kernel(const From* from, const float* bias, int channels, To* to, int64_t elements) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < elements; i += stride) {
    const float addend = bias != nullptr ? bias[i % channels] : 0.0f;
    store_element(to + i, load_element(from + i) + addend);
  }
}

}  // namespace layerwise::cuda
