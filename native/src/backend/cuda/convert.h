// Elementwise steps around what libraries compute.
#pragma once

#include "backend/cuda/convolution.h"

namespace layerwise::cuda {

/// to = from (+ bias (C), float32), as many elements; float32 and bfloat16 in any combination.
void convert(cudaStream_t stream, const Tensor& from, const Tensor& bias, const Tensor& to);

/// stored = the gradient that a prologue would make of d_y while loading; of the type of d_y's values.
void store_gradient(cudaStream_t stream, const OutputGradient& d_y, const Tensor& stored);

}  // namespace layerwise::cuda
