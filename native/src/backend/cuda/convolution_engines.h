// Convolutions by engines: which operations they choose between, as text, such as
// "convolve 128x32x32x3 weight 256x3x3x3 stride 1 padding 1 bf16", and how libraries do them.
#pragma once

#include <string>

#include "backend/cuda/convolution.h"

namespace layerwise::cuda {

/// An operation with all that its time depends on. `shape`: of the tensor that the convolution reads.
std::string describe(const Device& device, const char* operation, const Convolution& geometry, const Shape& shape,
                     const Tensor& weight);

/// Whether the convolution is one matrix product: of a kernel that covers the input, or of a single position.
bool is_matrix_product(const Convolution& geometry, const Shape& x);

/// The library that does it: "cublas" or "cudnn".
const char* library_for(const Convolution& geometry, const Shape& x);

class VendorEngine;

/// d_x = Wᵀ ∗ d_y, d_x of the activations' type, by a library. False: it does not do it.
bool data_gradient_by_library(VendorEngine& vendor, const Convolution& geometry, const Tensor& d_y,
                              const Tensor& weight, const Tensor& d_x);

}  // namespace layerwise::cuda
