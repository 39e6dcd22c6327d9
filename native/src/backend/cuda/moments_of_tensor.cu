// Means with variances per channel, or with standard deviations per sample and channel.
//
// Rows are positions, of all samples or of one (a group). Threads: each takes 16 bytes of channels (one channel
// where they are not aligned) in every step-th row of its block, see row_tiles.cuh, and keeps mean and sum of
// squared deviations as Welford does (Technometrics 4, 1962), which does not cancel where the mean is large. The
// block's threads then merge theirs two by two (Chan, Golub and LeVeque 1979). Where a group has one block, that is
// the result; otherwise the blocks leave theirs in memory for merge_moments.cu. The order is that of the tiles, so that bits
// depend on the shape and the device only.
// Bytes: elements · size (read x), and 16 per group, channel and block. FLOPs: 6 per element.
// Floor on an H100: elements · size / 3.0 TB/s.
#include "backend/cuda/merge_moments.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/row_tiles.cuh"

namespace layerwise::cuda {

/// Mean and sum of squared deviations from it of `count` numbers.
struct Moments {
  float count, mean, squares;
};

__device__ __forceinline__ Moments merge(const Moments& a, const Moments& b) {
  if (b.count == 0) return a;
  const float count = a.count + b.count;
  const float share = b.count / count;
  const float difference = b.mean - a.mean;
  return {count, a.mean + difference * share, a.squares + b.squares + difference * difference * (a.count * share)};
}

/// Where results go, and what of: `unbiased` standard deviations or biased variances.
struct MomentsOutput {
  float* mean;
  float* spread;
  bool deviations;

  __device__ __forceinline__ void store(int64_t at, const Moments& moments) const {
    mean[at] = moments.mean;
    if (deviations)
      spread[at] = moments.count > 1 ? sqrtf(moments.squares / (moments.count - 1)) : 0.0f;
    else
      spread[at] = moments.squares / moments.count;
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
        const Moments merged = merge({count, mean[i], squares[i]}, {other, means[i][thread], all_squares[i][thread]});
        mean[i] = merged.mean;
        squares[i] = merged.squares;
      }
      count += other;
    }
    __syncthreads();
  }
}

/// `pieces`: (groups, chunks, channels), as MomentPieceLayout says; or null where there is one chunk.
template <class T, int width>
__global__ void __launch_bounds__(row_tile_threads) moments_kernel(const T* x, RowTiles tiles, float2* pieces,
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
  if (pieces == nullptr) {
    for (int i = 0; i < width; ++i)
      output.store(tile.group * tiles.channels + tile.channel + i, Moments{count, mean[i], squares[i]});
  } else {
    float2* const own = pieces + (tile.group * tiles.chunks + tile.chunk) * tiles.channels + tile.channel;
    for (int i = 0; i < width; ++i) own[i] = {mean[i], squares[i]};
  }
}

namespace {

constexpr int64_t blocks_per_multiprocessor = 4;

}  // namespace

void moments_of_tensor(Device& device, const MomentsOfTensor& op) {
  if (op.moments == ConvolutionForward::Moments::none) return;
  const bool per_sample = op.moments == ConvolutionForward::Moments::sample_channel;
  const Shape& shape = op.x.shape;
  const int64_t groups = per_sample ? shape.n : 1;
  const int64_t rows = per_sample ? shape.positions() : shape.n * shape.positions();
  const MomentsOutput output{op.mean.as<float>(), op.spread.as<float>(), per_sample};
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    with_width<T>(has_vector_rows<T>(shape.c, {op.x}), [&](auto width) {
      const RowTiles tiles = make_row_tiles(groups, rows, shape.c, width,
                                            device.multiprocessors * blocks_per_multiprocessor);
      ArenaTensor pieces;
      if (tiles.chunks > 1) pieces = device.arena.take(DataType::float32, {groups, tiles.chunks, shape.c, 2});
      LAYERWISE_LAUNCH((moments_kernel<T, decltype(width)::value>), row_tile_blocks(tiles, groups), row_tile_threads,
                       0, device.stream, op.x.as<T>(), tiles, static_cast<float2*>(pieces.view().data), output);
      if (tiles.chunks > 1)
        merge_moments(device, {groups, tiles.chunks, shape.c, rows, tiles.rows_per_block, true}, pieces, {}, per_sample,
                      op.mean, op.spread);
    });
  });
}

}  // namespace layerwise::cuda
