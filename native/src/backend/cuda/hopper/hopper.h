// Products of 3×3 convolutions by a Hopper GPU's warpgroups, in bfloat16: an engine (engines/engines.h). The same functions
// as in namespace fused of convolution.h; supports() says for which products.
#pragma once

#include "backend/cuda/product.h"

namespace layerwise::cuda::hopper {

/// Whether the device is of compute capability 9.0, and this build has code for it.
bool works_on(const cudaDeviceProp& properties);

/// Throws Error, one sentence, where it does not work on the device or with that precision.
void require_device(const cudaDeviceProp& properties, Precision precision);

/// The kernels are for stride 1 and padding 1 and for channels in aligned eights.
bool supports(const Device& device, const Product& product);

void convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y, const OutputMoments& moments);
void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                              const Tensor& d_weight);
void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x);
void hidden_gradient(Device& device, const HiddenGradient& op, const Tensor& d_z);

}  // namespace layerwise::cuda::hopper
