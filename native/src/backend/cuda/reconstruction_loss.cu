// From decoder(h) without its bias to the gradient of the loss there, its sum per channel and the loss:
//   v = decoded + bias, x̂ = act(v);  d = gradient_scale · 2 (x̂ − x) · act'(v) / elements.
//
// Threads: a block takes 32 channels and `reconstruction_rows` rows, 8 threads per channel that take every
// 8th row; a warp reads 32 neighbours.
// Bytes: read decoded (float32) and x, write d: (4 + 2 · size) · N · positions · I. FLOPs: below 10 each.
// Floor on an H100: those bytes / 3.0 TB/s.
#include <type_traits>

#include "backend/backend.h"
#include "backend/cuda/convolution.h"
#include "backend/cuda/device_code.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

constexpr int reconstruction_threads = 256;
constexpr int reconstruction_channels = 32;
constexpr int reconstruction_rows = 256;

template <class T>
struct ReconstructionArguments {
  const float* decoded;
  const float* bias;
  const T* x;
  T* d_decoded;
  float2* pairs;  // (blocks of rows, channels): Σ d, Σ (x̂ − x)²
  int rows, channels;
  float negative_slope, scale;
};

template <class T>
__global__ void __launch_bounds__(reconstruction_threads)
    reconstruction_gradient_kernel(ReconstructionArguments<T> a) {
  begin_kernel();
  constexpr int threads_down = reconstruction_threads / reconstruction_channels;
  LAYERWISE_SHARED(float2, sums, [threads_down][reconstruction_channels]);
  const int across = static_cast<int>(threadIdx.x) % reconstruction_channels;
  const int down = static_cast<int>(threadIdx.x) / reconstruction_channels;
  const int channel = static_cast<int>(blockIdx.y) * reconstruction_channels + across;
  const int begin = static_cast<int>(blockIdx.x) * reconstruction_rows;
  const int end = min(begin + reconstruction_rows, a.rows);
  float2 sum = {0, 0};
  if (channel < a.channels) {
    const float bias = a.bias[channel];
    for (int row = begin + down; row < end; row += threads_down) {
      const int64_t at = static_cast<int64_t>(row) * a.channels + channel;
      const float v = a.decoded[at] + bias;
      const float slope = v > 0 ? 1 : a.negative_slope;
      const float difference = slope * v - load_element(a.x + at);
      const float d = a.scale * difference * slope;
      store_element(a.d_decoded + at, d);
      sum.x += d;
      sum.y = fmaf(difference, difference, sum.y);
    }
  }
  sums[down][across] = sum;
  __syncthreads();
  if (down > 0 || channel >= a.channels) return;
  for (int i = 1; i < threads_down; ++i) {
    sum.x += sums[i][across].x;
    sum.y += sums[i][across].y;
  }
  a.pairs[static_cast<int64_t>(blockIdx.x) * a.channels + channel] = sum;
}

/// metrics->unsupervised_loss += Σ squares / features. One warp.
__global__ void __launch_bounds__(32)
    add_reconstruction_loss_kernel(Metrics* metrics, const float* squares, int channels, double features) {
  begin_kernel();
  double sum = 0;
  for (int channel = static_cast<int>(threadIdx.x); channel < channels; channel += 32) sum += squares[channel];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) metrics->unsupervised_loss += sum / features;
}

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
