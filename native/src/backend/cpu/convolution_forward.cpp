// Convolution and the moments of its output.
#include "backend/cpu/operations.h"

namespace layerwise::cpu {

void convolution_forward(Device& device, const ConvolutionForward& op) {
  convolve(device, op.convolution, op.x, op.weight, op.bias, op.y);
  moments_of_tensor(device, {op.moments, op.y, op.mean, op.spread});
}

}  // namespace layerwise::cpu
