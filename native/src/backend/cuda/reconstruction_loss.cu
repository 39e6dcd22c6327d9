#include "backend/cuda/reconstruction_loss.cuh"

#include <type_traits>

#include "backend/cuda/convolution.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

namespace {

constexpr Convolution linear_map{1, 1, 1, 0};

/// The gradient of the loss at decoder(h), d_bias and the loss.
void gradient_at_decoder(Device& device, const ReconstructionLoss& op, const Tensor& decoded,
                         const Tensor& d_decoded) {
  const int64_t channels = op.x.shape.c, rows = op.x.shape.n * op.x.shape.positions();
  const unsigned row_blocks = blocks_for(rows, reconstruction_rows);
  const ArenaTensor pairs = device.arena.take(DataType::float32, {row_blocks, 1, channels, 2});
  const ArenaTensor squares = device.arena.take(DataType::float32, Shape::vector(channels));
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const ReconstructionArguments<T> arguments{
        decoded.as<float>(), op.bias.as<float>(), op.x.as<T>(), d_decoded.as<T>(),
        static_cast<float2*>(pairs.view().data), static_cast<int>(rows), static_cast<int>(channels),
        static_cast<float>(op.negative_slope),
        static_cast<float>(2 * op.gradient_scale / static_cast<double>(op.x.shape.elements()))};
    LAYERWISE_LAUNCH(reconstruction_gradient_kernel<T>, dim3(row_blocks, blocks_for(channels, reconstruction_channels)),
                     reconstruction_threads, 0, device.stream, arguments);
  });
  sum_pairs(device, pairs, row_blocks, op.d_bias, squares, {});
  if (op.metrics != nullptr)  // samples · (squares / elements)
    LAYERWISE_LAUNCH(add_reconstruction_loss_kernel, 1, 32, 0, device.stream, op.metrics,
                     static_cast<const float*>(squares.view().as<float>()), static_cast<int>(channels),
                     static_cast<double>(op.x.shape.features()));
}

}  // namespace

void reconstruction_loss(Device& device, const ReconstructionLoss& op) {
  // In float32: where v is near 0, rounding it would change act'.
  const ArenaTensor decoded = device.arena.take(DataType::float32, op.x.shape);
  const ArenaTensor d_decoded = device.arena.take(op.x.type, op.x.shape);
  if (op.transposed)
    convolve_data_gradient(device, op.convolution, op.h, op.weight, decoded);
  else
    convolve(device, linear_map, op.h, op.weight, {}, decoded);
  gradient_at_decoder(device, op, decoded, d_decoded);
  if (op.transposed) {
    // The adjoint's adjoint is the convolution itself, with h in the part of its output.
    convolve_weight_gradient(device, op.convolution, d_decoded, op.h, op.d_weight);
    convolve(device, op.convolution, d_decoded, op.weight, {}, op.d_h);
  } else {
    convolve_weight_gradient(device, linear_map, op.h, d_decoded, op.d_weight);
    convolve_data_gradient(device, linear_map, d_decoded, op.weight, op.d_h);
  }
}

}  // namespace layerwise::cuda
