// Elementwise steps around what libraries compute.
#pragma once

#include "backend/cuda/convolution.h"

namespace layerwise::cuda {

/// to = from (+ bias (C), float32), as many elements; float32 and bfloat16 in any combination.
void convert(cudaStream_t stream, const Tensor& from, const Tensor& bias, const Tensor& to);

}  // namespace layerwise::cuda
