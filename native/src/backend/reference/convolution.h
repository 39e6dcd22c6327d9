// The three linear maps of a convolution.
#pragma once

#include "backend/backend.h"

namespace layerwise {
namespace reference {

/// y ← weight ∗ x (+ bias).
void convolve(const Convolution& convolution, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y);

/// d_weight ← Σ over samples and positions of dy ⊗ (the part of x under the kernel).
void convolution_weight_gradient(const Convolution& convolution, const Tensor& x, const Tensor& dy,
                                 const Tensor& d_weight);

/// dx ← dx + weightᵀ ∗ dy.
void add_convolution_data_gradient(const Convolution& convolution, const Tensor& dy, const Tensor& weight,
                                   const Tensor& dx);

}  // namespace reference
}  // namespace layerwise
