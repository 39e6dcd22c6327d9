// From dh of the similarity branch to g, the gradient at the block's pre-activation:
//   g = (dh + average-unpool(d_pooled) + dropout'(max-unpool(d_output)) + d_h) · act'(h),
// and batch norm's Σ g and Σ g · (y − mean_y) per channel. It is the epilogue of the similarity branch's data
// gradient; without such a branch it runs alone, on tiles of zeros.
//
// Threads: in the first pass each takes 16 bytes of a row, in the second one a column of the block's part
// and a group of its rows (ColumnGroup).
// Bytes: read h, y (and d_h), write g, all of M · C · size; d_pooled and d_output as many times fewer as
// their windows have positions. Floor of the kernel alone on an H100: 3 · M · C · size / 3.0 TB/s.
#pragma once

#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/gemm_tiles.cuh"

namespace layerwise::cuda {

template <class T>
struct HiddenEpilogue {
  T* g;
  const T* h;
  bool vectors;  // rows of all maps are whole aligned chunks of 16 bytes
  int rows, channels;
  int height, width;
  Divisor area, row_width;  // of h
  float negative_slope;

  const T* d_pooled;  // or null
  Divisor pool_height, pool_width;
  int pool_padding_height, pool_padding_width, pooled_height, pooled_width;
  float pooled_weight;  // 1 / (kernel_height · kernel_width)

  const T* d_output;  // or null
  bool max_pool;
  int output_height, output_width;
  const float* dropout;  // (N, C), or null

  const T* d_h;  // or null

  const T* y;  // or null: no batch norm
  const float* mean_y;
  float2* pairs;  // (groups of rows, C): Σ g, Σ g · (y − mean_y)

  template <class Block>
  __device__ __forceinline__ void finish(float* tile, int tile_row, int tile_column, int) const {
    if (vectors)
      gradient<Block, vector_elements<T>>(tile, tile_row, tile_column);
    else
      gradient<Block, 1>(tile, tile_row, tile_column);
    if (y == nullptr) return;
    __syncthreads();
    batch_norm_sums<Block>(tile, tile_row, tile_column);
  }

 private:
  /// dh in the tile becomes g, there and in memory.
  template <class Block, int width_>
  __device__ __forceinline__ void gradient(float* tile, int tile_row, int tile_column) const {
    for_each_of_tile<Block, width_>(rows - tile_row, channels - tile_column, [&](int row, int column) {
      float* const sums = tile + row * Block::row_stride + column;
      const int m = tile_row + row, c = tile_column + column;
      const int64_t at = static_cast<int64_t>(m) * channels + c;
      float values[width_], hidden[width_];
      LAYERWISE_UNROLL
      for (int e = 0; e < width_; ++e) values[e] = sums[e];
      read_elements<width_>(h + at, hidden);
      int rest, w;
      const int n = area.quotient(m, rest);
      const int row_of_map = row_width.quotient(rest, w);
      if (d_pooled != nullptr) add_pooled(values, n, row_of_map, w, c);
      if (d_output != nullptr) add_output(values, at, n, row_of_map, w, c);
      if (d_h != nullptr) {
        float more[width_];
        read_elements<width_>(d_h + at, more);
        LAYERWISE_UNROLL
        for (int e = 0; e < width_; ++e) values[e] += more[e];
      }
      LAYERWISE_UNROLL
      for (int e = 0; e < width_; ++e) {
        if (!(hidden[e] > 0)) values[e] *= negative_slope;
        sums[e] = values[e];
      }
      write_elements(g + at, values);
    });
  }

  template <int width_>
  __device__ __forceinline__ void add_pooled(float (&values)[width_], int n, int row, int w, int c) const {
    const int window_row = pool_height.quotient(row + pool_padding_height);
    const int window_column = pool_width.quotient(w + pool_padding_width);
    if (window_row >= pooled_height || window_column >= pooled_width) return;
    const int64_t window = (static_cast<int64_t>(n) * pooled_height + window_row) * pooled_width + window_column;
    float more[width_];
    read_elements<width_>(d_pooled + window * channels + c, more);
    LAYERWISE_UNROLL
    for (int e = 0; e < width_; ++e) values[e] = fmaf(pooled_weight, more[e], values[e]);
  }

  template <int width_>
  __device__ __forceinline__ void add_output(float (&values)[width_], int64_t at, int n, int row, int w, int c) const {
    int64_t from = at;
    int first[width_] = {};  // position of the window's first maximum, in row order
    int here = 0;
    if (max_pool) {
      if (row / 2 >= output_height || w / 2 >= output_width) return;
      from = ((static_cast<int64_t>(n) * output_height + row / 2) * output_width + w / 2) * channels + c;
      here = row % 2 * 2 + w % 2;
      first_maximum(first, at - (static_cast<int64_t>(row % 2) * width + w % 2) * channels);
    }
    float more[width_];
    read_elements<width_>(d_output + from, more);
    LAYERWISE_UNROLL
    for (int e = 0; e < width_; ++e) {
      const float factor = dropout != nullptr ? dropout[static_cast<int64_t>(n) * channels + c + e] : 1.0f;
      if (first[e] == here) values[e] = fmaf(factor, more[e], values[e]);
    }
  }

  /// `at`: the first element of the 2×2 window.
  template <int width_>
  __device__ __forceinline__ void first_maximum(int (&first)[width_], int64_t at) const {
    float largest[width_];
    read_elements<width_>(h + at, largest);
    LAYERWISE_UNROLL
    for (int position = 1; position < 4; ++position) {
      float other[width_];
      read_elements<width_>(h + at + (static_cast<int64_t>(position / 2) * width + position % 2) * channels, other);
      LAYERWISE_UNROLL
      for (int e = 0; e < width_; ++e) {
        if (!(other[e] > largest[e])) continue;
        largest[e] = other[e];
        first[e] = position;
      }
    }
  }

  template <class Block>
  __device__ __forceinline__ void batch_norm_sums(const float* tile, int tile_row, int tile_column) const {
    using Group = ColumnGroup<Block>;
    const int c = tile_column + Group::column();
    const int begin = tile_row + Group::first_row(), end = min(begin + Group::rows, rows);
    if (c >= channels || begin >= end) return;
    const float mean = mean_y[c];
    float sum = 0, product = 0;
    for (int m = begin; m < end; ++m) {
      const float value = tile[(m - tile_row) * Block::row_stride + Group::column()];
      sum += value;
      product = fmaf(value, load_element(y + static_cast<int64_t>(m) * channels + c) - mean, product);
    }
    pairs[static_cast<int64_t>(begin / Group::rows) * channels + c] = {sum, product};
  }
};

/// The gradient where h has no similarity branch. Blocks take parts of g as the GEMM's do.
template <class T>
__global__ void __launch_bounds__(SmallTile::threads)
    hidden_gradient_kernel(HiddenEpilogue<T> epilogue, int column_tiles) {
  LAYERWISE_SHARED(float, tile, [SmallTile::rows * SmallTile::row_stride]);
  for (int i = static_cast<int>(threadIdx.x); i < SmallTile::rows * SmallTile::row_stride; i += SmallTile::threads)
    tile[i] = 0;
  __syncthreads();
  const int block = static_cast<int>(blockIdx.x);
  epilogue.template finish<SmallTile>(tile, block / column_tiles * SmallTile::rows,
                                      block % column_tiles * SmallTile::columns, 0);
}

}  // namespace layerwise::cuda
