// Convolution and the moments of its output.
#include "backend/cpu/operations.h"

namespace layerwise::cpu {

void convolution_forward(Device& device, const ConvolutionForward& op) {
  if (by_winograd(device, op.convolution, op.x.shape, op.y.shape)) {
    with_storage(op.x.type, [&](auto a) { device.winograd.forward<decltype(a)>(op); });
    return;
  }
  convolve(device, op.convolution, op.x, op.weight, op.bias, op.y);
  moments_of_tensor(device, {op.moments, op.y, op.mean, op.spread});
}

}  // namespace layerwise::cpu
