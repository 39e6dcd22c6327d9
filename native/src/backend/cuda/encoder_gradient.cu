// Threads, bytes and FLOPs: convolve_weight_gradient.cu and, where d_x is wanted, convolve_data_gradient.cu.
// Batch norm's backward is the prologue of the weight gradient; only where dy itself is needed, as the
// operation's result or for d_x, it is a pass of its own. Bytes: x, g and y.
#include "backend/cuda/affine_coefficients.h"
#include "backend/cuda/convolution.h"
#include "backend/cuda/runtime.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

void encoder_gradient(Device& device, const EncoderGradient& op) {
  if (op.d_bias && op.y)
    check(cudaMemsetAsync(op.d_bias.data, 0, op.d_bias.bytes(), device.stream), "clearing a gradient");
  if (op.y && !op.d_x && !op.d_y) {
    const ArenaTensor coefficients = batch_norm_coefficients(device, op);
    const OutputGradient d_y{op.g, OutputGradient::Kind::batch_norm, coefficients, op.y};
    return convolve_weight_gradient(device, op.convolution, op.x, d_y, op.d_weight);
  }

  const Tensor& d_y = op.d_y ? op.d_y : op.g;
  if (op.y)
    batch_norm_gradient(device, {op.g, op.y, op.mean, op.variance, op.scale, op.d_scale, op.d_shift, {}, d_y});
  else if (d_y.data != op.g.data)
    check(cudaMemcpyAsync(d_y.data, op.g.data, op.g.bytes(), cudaMemcpyDeviceToDevice, device.stream),
          "copying a gradient");
  if (op.d_bias && !op.y) sum_channels(device, d_y, op.d_bias);
  convolve_weight_gradient(device, op.convolution, op.x, {d_y, OutputGradient::Kind::stored, {}, {}}, op.d_weight);
  if (op.d_x) convolve_data_gradient(device, op.convolution, d_y, op.weight, op.d_x);
}

}  // namespace layerwise::cuda
