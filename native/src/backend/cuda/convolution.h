// Convolutions and their gradients. An engine does them (engines.h): this project's implicit GEMM (implicit_gemm.cuh), or
// another. Linear layers are convolutions whose kernel covers the input.
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

/// d_weight = the gradient of the weights, float32.
void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                              const Tensor& d_weight);

/// d_x = Wᵀ ∗ d_y. d_x is of the activations' type, or float32 for further arithmetic.
void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x);

/// The same by this project's kernels, whatever the engine.
namespace fused {

void convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y, const OutputMoments& moments);
void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                              const Tensor& d_weight);
void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x);
/// Everything of hidden_gradient but the weight gradient. d_z is read where there is a similarity branch.
void hidden_gradient(Device& device, const HiddenGradient& op, const Tensor& d_z);

}  // namespace fused

}  // namespace layerwise::cuda
