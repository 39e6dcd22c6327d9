// Threads, bytes and FLOPs: implicit_gemm.cuh, with M = N · positions, N = O and K = KH · KW · I.
// Bytes: x + y, and the weights. The moments come from the accumulators (merge_moments.cu).
#include "backend/cuda/convolution.h"

namespace layerwise::cuda {

void convolution_forward(Device& device, const ConvolutionForward& op) {
  convolve(device, op.convolution, op.x, op.weight, op.bias, op.y, {op.moments, op.mean, op.spread});
}

}  // namespace layerwise::cuda
