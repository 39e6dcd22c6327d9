// Means with variances per channel, or with standard deviations per sample and channel.
//
// Rows are positions, of all samples or of one (a group). Threads: each takes 16 bytes of channels (one channel
// where they are not aligned) in every step-th row of its block, see row_tiles.cuh, and keeps mean and sum of
// squared deviations as Welford does (Technometrics 4, 1962), which does not cancel where the mean is large. The
// block's threads then merge theirs two by two (Chan, Golub and LeVeque 1979). Where a group has one block, that is
// the result; otherwise the blocks leave theirs in memory, and a second kernel merges them in double: a warp's
// worth of channels per block, 8 threads per channel, each every eighth of the blocks' results. The order is that
// of the tiles, so that bits depend on the shape and the device only.
// Bytes: elements · size (read x), and 16 per group, channel and block. FLOPs: 6 per element.
// Floor on an H100: elements · size / 3.0 TB/s.
#pragma once

#include "backend/cuda/row_tiles.cuh"

namespace layerwise::cuda {

/// Mean and sum of squared deviations from it of `count` numbers.
template <class F>
struct Moments {
  F count, mean, squares;
};

template <class F>
__device__ __forceinline__ Moments<F> merge(const Moments<F>& a, const Moments<F>& b) {
  if (b.count == 0) return a;
  const F count = a.count + b.count;
  const F share = b.count / count;
  const F difference = b.mean - a.mean;
  return {count, a.mean + difference * share, a.squares + b.squares + difference * difference * (a.count * share)};
}

/// Where results go, and what of: `unbiased` standard deviations or biased variances.
struct MomentsOutput {
  float* mean;
  float* spread;
  bool deviations;

  template <class F>
  __device__ __forceinline__ void store(int64_t at, const Moments<F>& moments) const {
    mean[at] = static_cast<float>(moments.mean);
    if (deviations)
      spread[at] = static_cast<float>(moments.count > 1 ? sqrt(moments.squares / (moments.count - 1)) : F{0});
    else
      spread[at] = static_cast<float>(moments.squares / moments.count);
  }
};

/// Merges what the threads of a block have for their channels: afterwards those of the first row lane hold all.
template <int width>
__device__ __forceinline__ void merge_row_lanes(int lanes, float& count, float (&mean)[width], float (&squares)[width]) {
  LAYERWISE_SHARED(float, counts, [row_tile_threads / 2]);
  LAYERWISE_SHARED(float, means, [width][row_tile_threads / 2]);
  LAYERWISE_SHARED(float, all_squares, [width][row_tile_threads / 2]);
  const int thread = static_cast<int>(threadIdx.x);
  for (int half = row_tile_threads / 2; half >= lanes; half /= 2) {
    if (thread >= half && thread < 2 * half) {
      counts[thread - half] = count;
      for (int i = 0; i < width; ++i) {
        means[i][thread - half] = mean[i];
        all_squares[i][thread - half] = squares[i];
      }
    }
    __syncthreads();
    if (thread < half) {
      const float other = counts[thread];
      for (int i = 0; i < width; ++i) {
        const Moments<float> merged =
            merge<float>({count, mean[i], squares[i]}, {other, means[i][thread], all_squares[i][thread]});
        mean[i] = merged.mean;
        squares[i] = merged.squares;
      }
      count += other;
    }
    __syncthreads();
  }
}

/// `partial`: (groups, chunks, 2, channels), means and squares of each block; or null where there is one chunk.
template <class T, int width>
__global__ void __launch_bounds__(row_tile_threads) moments_kernel(const T* x, RowTiles tiles, float* partial,
                                                                   MomentsOutput output) {
  begin_kernel();
  const RowTile tile = own_rows<width>(tiles);
  float count = 0, mean[width] = {}, squares[width] = {};
  const T* from = x + tile.begin * tiles.channels + tile.channel;
  const int64_t stride = tile.step * tiles.channels;
  for (int64_t row = tile.begin; row < tile.end; row += tile.step, from += stride) {
    float values[width];
    load_channels(from, values);
    count += 1;
    const float share = 1 / count;
    for (int i = 0; i < width; ++i) {
      const float difference = values[i] - mean[i];
      mean[i] += difference * share;
      squares[i] += difference * (values[i] - mean[i]);
    }
  }
  merge_row_lanes(tiles.lanes, count, mean, squares);
  if (static_cast<int>(threadIdx.x) >= tiles.lanes || tile.channel >= tiles.channels) return;
  if (partial == nullptr) {
    for (int i = 0; i < width; ++i)
      output.store(tile.group * tiles.channels + tile.channel + i, Moments<float>{count, mean[i], squares[i]});
  } else {
    float* const own = partial + (tile.group * tiles.chunks + tile.chunk) * 2 * tiles.channels + tile.channel;
    for (int i = 0; i < width; ++i) {
      own[i] = mean[i];
      own[tiles.channels + i] = squares[i];
    }
  }
}

constexpr int moments_merge_channels = 32, moments_merge_lanes = 8;

/// Blocks: (channels / moments_merge_channels, rounded up; groups); threads: moments_merge_channels times lanes.
__global__ void __launch_bounds__(moments_merge_channels * moments_merge_lanes)
    merge_tile_moments_kernel(const float* partial, RowTiles tiles, MomentsOutput output);

}  // namespace layerwise::cuda
