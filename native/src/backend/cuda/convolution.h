// Convolutions and their gradients: the seam behind which an engine does the matrix products, this project's
// implicit GEMM (implicit_gemm.cuh) or NVIDIA's libraries. Linear layers are convolutions whose kernel covers the
// input.
#pragma once

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

/// Moments that a convolution takes of its output on the way; none where kind is none.
struct OutputMoments {
  ConvolutionForward::Moments kind = ConvolutionForward::Moments::none;
  Tensor mean, spread;
};

/// y = W ∗ x (+ bias). y is of the activations' type, or float32 for further arithmetic.
void convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y, const OutputMoments& moments = {});

/// The gradient at a convolution's output: values as they are stored, or what a prologue makes of them.
struct OutputGradient {
  enum class Kind {
    stored,
    deviation,  // a · values + b per sample and channel: coefficients (N, C, 2)
    batch_norm  // a · values + b · second + c per channel: coefficients (C, 3)
  };
  Tensor values;
  Kind kind = Kind::stored;
  Tensor coefficients, second;
};

/// d_weight = the gradient of the weights, float32.
void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const OutputGradient& d_y,
                              const Tensor& d_weight);

/// d_x = Wᵀ ∗ d_y. d_x is of the activations' type, or float32 for further arithmetic. Stored gradients only.
void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x);

/// The same by this project's kernels, whatever the engine.
namespace fused {

void convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y, const OutputMoments& moments);
void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const OutputGradient& d_y,
                              const Tensor& d_weight);
void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x);

}  // namespace fused

}  // namespace layerwise::cuda
