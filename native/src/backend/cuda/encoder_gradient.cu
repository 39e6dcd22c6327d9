// Batch norm's backward pass writes dy over g; then the weight gradient and, where d_x is wanted, the data gradient are
// products of stored operands. Making dy while the products load their operands would save one pass over g, but each
// element would be made again for every tile that reads it.
// Threads, bytes and FLOPs: batch_norm_gradient.cu, convolve_weight_gradient.cu, convolve_data_gradient.cu.
#include "backend/cuda/convolution.h"
#include "backend/cuda/runtime.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

void encoder_gradient(Device& device, const EncoderGradient& op) {
  const Tensor& d_y = op.d_y ? op.d_y : op.g;
  if (op.y)
    batch_norm_gradient(device, {op.g, op.y, op.mean, op.variance, op.scale, op.d_scale, op.d_shift, {}, d_y},
                        op.d_bias);
  else if (d_y.data != op.g.data)
    copy_async(device.stream, d_y.data, op.g.data, op.g.bytes(), cudaMemcpyDeviceToDevice);
  if (op.d_bias && !op.y) sum_channels(device, d_y, op.d_bias);
  convolve_weight_gradient(device, op.convolution, op.x, d_y, op.d_weight);
  if (op.d_x) convolve_data_gradient(device, op.convolution, d_y, op.weight, op.d_x);
}

}  // namespace layerwise::cuda
