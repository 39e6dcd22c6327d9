// A tile of a matrix product, out[row, column] = Σ_depth a[row, depth] · b[column, depth], by a block of 128
// threads. Operands go from device memory through registers to shared memory in pieces of 32 of the depth;
// the next piece is on its way while this one is multiplied.
//
// The type S of the tiles in shared memory decides the arithmetic: float is multiplied exactly with FFMA,
// Bfloat16 with mma.sync. Sums are float32, in an order that depends on the shape alone.
#pragma once

#include <type_traits>

#include "backend/cuda/device_code.h"

namespace layerwise::cuda {

constexpr int tile_threads = 128;
constexpr int tile_warps = tile_threads / 32;
constexpr int tile_depth = 32;

/// Row after row, the depth contiguous. The 16 bytes between rows keep eight rows, read at once in 16 bytes
/// each, on different banks.
template <class S>
constexpr int tile_stride = tile_depth + vector_elements<S>;
template <class S, int rows>
using Tile = S[rows][tile_stride<S>];

/// A matrix in device memory. Neighbours in memory are neighbours along the depth, or else rows.
template <class T, bool along_depth>
struct Operand {
  const T* data;
  int64_t rows, depth;
  int64_t stride;  // elements from row to row, or else from depth to depth
  bool vectors;    // each stride begins at a multiple of 16 bytes

  __device__ __forceinline__ const T* at(int64_t row, int64_t d) const {
    return data + (along_depth ? row * stride + d : d * stride + row);
  }
};

/// For launchers.
template <bool along_depth, class T>
Operand<T, along_depth> make_operand(const T* data, int64_t rows, int64_t depth) {
  const int64_t stride = along_depth ? depth : rows;
  const bool vectors = stride % vector_elements<T> == 0 && reinterpret_cast<uintptr_t>(data) % 16 == 0;
  return {data, rows, depth, stride, vectors};
}

/// A thread's share of a piece on its way to shared memory: groups of as many neighbours as 16 bytes hold.
/// Along the depth, neighbouring threads take neighbouring groups of a row. Otherwise two neighbouring
/// threads take the two groups of a sector of 32 bytes and a warp 16 depths, so that its transposed
/// stores to shared memory fall on different banks (for Bfloat16 two on each).
template <class T, bool along_depth, int rows>
class PieceLoader {
 public:
  /// Zeros where the operand ends, and from depth `end` on.
  __device__ __forceinline__ void load(const Operand<T, along_depth>& from, int64_t row, int64_t begin, int64_t end) {
    LAYERWISE_UNROLL
    for (int i = 0; i < count; ++i) {
      if (!is_mine(i)) continue;
      const Place place = place_of(i);
      const int64_t r = row + place.row, d = begin + place.depth;
      const int64_t left = along_depth ? (r < from.rows ? end - d : 0) : (d < end ? from.rows - r : 0);
      const T* address = from.at(r, d);
      if (from.vectors && left >= width) {
        load_elements(address, values_[i]);
      } else {
        LAYERWISE_UNROLL
        for (int e = 0; e < width; ++e) values_[i][e] = e < left ? load_element(address + e) : 0.0f;
      }
    }
  }

  template <class S>
  __device__ __forceinline__ void store(Tile<S, rows>& tile) const {
    LAYERWISE_UNROLL
    for (int i = 0; i < count; ++i) {
      if (!is_mine(i)) continue;
      const Place place = place_of(i);
      if constexpr (along_depth && vector_elements<S> == width) {
        store_elements(&tile[place.row][place.depth], values_[i]);
      } else {
        LAYERWISE_UNROLL
        for (int e = 0; e < width; ++e)
          store_element(along_depth ? &tile[place.row][place.depth + e] : &tile[place.row + e][place.depth],
                        values_[i][e]);
      }
    }
  }

 private:
  static constexpr int width = vector_elements<T>;
  static constexpr int groups = rows * tile_depth / width;
  static constexpr int count = (groups + tile_threads - 1) / tile_threads;

  struct Place {
    int row, depth;
  };

  static __device__ __forceinline__ int group_of(int i) { return i * tile_threads + static_cast<int>(threadIdx.x); }
  static __device__ __forceinline__ bool is_mine(int i) { return groups % tile_threads == 0 || group_of(i) < groups; }
  static __device__ __forceinline__ Place place_of(int i) {
    const int group = group_of(i);
    if (along_depth) return {group / (tile_depth / width), group % (tile_depth / width) * width};
    return {(group % 2 + group / (2 * tile_depth) * 2) * width, group / 2 % tile_depth};
  }

  float values_[count][width] = {};
};

/// The sums of a tile of rows × columns, spread over the threads.
template <class S, int rows, int columns>
class Accumulator;

/// A warp has rows / 4 neighbouring rows, a lane every 32nd column: rows are read by broadcast.
template <int rows, int columns>
class Accumulator<float, rows, columns> {
 public:
  __device__ __forceinline__ void multiply(const Tile<float, rows>& a, const Tile<float, columns>& b) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int d = 0; d < tile_depth; d += 4) {
      float right[own_columns][4];
      LAYERWISE_UNROLL
      for (int c = 0; c < own_columns; ++c) load_elements(&b[lane + 32 * c][d], right[c]);
      LAYERWISE_UNROLL
      for (int r = 0; r < own_rows; ++r) {
        float left[4];
        load_elements(&a[warp * own_rows + r][d], left);
        LAYERWISE_UNROLL
        for (int c = 0; c < own_columns; ++c)
          LAYERWISE_UNROLL
          for (int e = 0; e < 4; ++e) sum_[r][c] = fmaf(left[e], right[c][e], sum_[r][c]);
      }
    }
  }

  /// body(row, column, sum) for each element that the thread has.
  template <class Body>
  __device__ __forceinline__ void each(const Body& body) const {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    LAYERWISE_UNROLL
    for (int r = 0; r < own_rows; ++r)
      LAYERWISE_UNROLL
      for (int c = 0; c < own_columns; ++c) body(warp * own_rows + r, lane + 32 * c, sum_[r][c]);
  }

 private:
  static constexpr int own_rows = rows / tile_warps, own_columns = columns / 32;
  float sum_[own_rows][own_columns] = {};
};

/// Warps lie two by two, or one beside the other where there are only 16 rows; fragments are those of
/// m16n8k16.
template <int rows, int columns>
class Accumulator<Bfloat16, rows, columns> {
 public:
  __device__ __forceinline__ void multiply(const Tile<Bfloat16, rows>& a, const Tile<Bfloat16, columns>& b) {
    const int lane = threadIdx.x % 32;
    for (int d = 0; d < tile_depth; d += 16) {
      uint32_t left[tiles_down][4], right[tiles_across / 2][4];
      LAYERWISE_UNROLL
      for (int m = 0; m < tiles_down; ++m)
        load_matrix_x4(left[m], &a[first_row() + 16 * m + lane % 16][d + lane / 16 * 8]);
      LAYERWISE_UNROLL
      for (int n = 0; n < tiles_across / 2; ++n)
        load_matrix_x4(right[n], &b[first_column() + 16 * n + lane / 16 * 8 + lane % 8][d + lane / 8 % 2 * 8]);
      LAYERWISE_UNROLL
      for (int m = 0; m < tiles_down; ++m) {
        LAYERWISE_UNROLL
        for (int n = 0; n < tiles_across; ++n) {
          const uint32_t of_tile[2] = {right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1]};
          mma_bf16_16x8x16(sum_[m][n], left[m], of_tile);
        }
      }
    }
  }

  template <class Body>
  __device__ __forceinline__ void each(const Body& body) const {
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    LAYERWISE_UNROLL
    for (int m = 0; m < tiles_down; ++m)
      LAYERWISE_UNROLL
      for (int n = 0; n < tiles_across; ++n)
        LAYERWISE_UNROLL
        for (int i = 0; i < 4; ++i)
          body(first_row() + 16 * m + g + i / 2 * 8, first_column() + 8 * n + 2 * t + i % 2, sum_[m][n][i]);
  }

 private:
  static constexpr int warps_down = rows == 16 ? 1 : 2, warps_across = tile_warps / warps_down;
  static constexpr int warp_rows = rows / warps_down, warp_columns = columns / warps_across;
  static constexpr int tiles_down = warp_rows / 16, tiles_across = warp_columns / 8;

  static __device__ __forceinline__ int first_row() {
    return static_cast<int>(threadIdx.x) / 32 / warps_across * warp_rows;
  }
  static __device__ __forceinline__ int first_column() {
    return static_cast<int>(threadIdx.x) / 32 % warps_across * warp_columns;
  }

  float sum_[tiles_down][tiles_across][4] = {};
};

/// sums += a[row …, begin … end) · b[column …, begin … end)ᵀ. The tiles are free again afterwards.
template <class S, int rows, int columns, class A, bool a_along_depth, class B, bool b_along_depth>
__device__ __forceinline__ void add_tile_product(Accumulator<S, rows, columns>& sums,
                                                 const Operand<A, a_along_depth>& a, int64_t row,
                                                 const Operand<B, b_along_depth>& b, int64_t column, int64_t begin,
                                                 int64_t end, Tile<S, rows>& a_tile, Tile<S, columns>& b_tile) {
  PieceLoader<A, a_along_depth, rows> from_a;
  PieceLoader<B, b_along_depth, columns> from_b;
  from_a.load(a, row, begin, end);
  from_b.load(b, column, begin, end);
  for (int64_t d = begin; d < end; d += tile_depth) {
    from_a.template store<S>(a_tile);
    from_b.template store<S>(b_tile);
    __syncthreads();
    if (d + tile_depth < end) {
      from_a.load(a, row, d + tile_depth, end);
      from_b.load(b, column, d + tile_depth, end);
    }
    sums.multiply(a_tile, b_tile);
    __syncthreads();
  }
}

}  // namespace layerwise::cuda
