// From decoder(h) without its bias to the gradient of the loss there, its sum per channel and the loss:
//   v = decoded + bias, x̂ = act(v);  d = gradient_scale · 2 (x̂ − x) · act'(v) / elements.
//
// Threads: a block takes 32 channels and `reconstruction_rows` rows, 8 threads per channel that take every
// 8th row; a warp reads 32 neighbours.
// Bytes: read decoded (float32) and x, write d: (4 + 2 · size) · N · positions · I. FLOPs: below 10 each.
// Floor on an H100: those bytes / 3.0 TB/s.
#pragma once

#include "backend/backend.h"
#include "backend/cuda/device_code.h"

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

}  // namespace layerwise::cuda
