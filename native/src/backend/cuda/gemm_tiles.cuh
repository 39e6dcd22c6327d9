// How the blocks of the implicit GEMM cut C = A · B, and how tiles of A and B lie in shared memory.
#pragma once

#include "backend/cuda/device_code.h"

namespace layerwise::cuda {

/// A block's part of C: rows × columns, by warps that each take an equal part of it.
template <int rows_, int columns_, int warp_rows_, int warp_columns_>
struct BlockTile {
  static constexpr int rows = rows_, columns = columns_;
  static constexpr int warp_rows = warp_rows_, warp_columns = warp_columns_;  // of one warp's part
  static constexpr int warps_across = columns / warp_columns;
  static constexpr int threads = 32 * (rows / warp_rows) * warps_across;
  // The accumulators in shared memory, for the epilogue. 32 bytes more per row: four rows of eight neighbouring columns
  // each, what half a warp stores of mma's fragments, lie in different banks.
  static constexpr int row_stride = columns + 8;
  static constexpr int accumulator_bytes = rows * row_stride * static_cast<int>(sizeof(float));
};

using TallTile = BlockTile<256, 128, 64, 64>;         // 256 threads, 128 accumulators each
using LargeTile = BlockTile<128, 128, 64, 64>;        // 128 threads, 128 accumulators each
using LargeScalarTile = BlockTile<128, 128, 64, 32>;  // 256 threads, 64 accumulators each
using SmallTile = BlockTile<64, 64, 32, 32>;          // 128 threads, 32 accumulators each

/// Which of an operand's two directions follows itself in global memory, and in shared memory as well.
/// The other one is that of C's rows for A and of C's columns for B.
enum class Inner { depth, extent };

/// A piece of A or B: `extent` rows of A (columns of B) by `depth` terms of the sum. It is stored in rows
/// of chunks of 16 bytes; the chunks of a row are permuted so that eight rows' chunks of one column, what
/// ldmatrix and the threads of a quarter warp read at once, lie in different banks.
template <class T, Inner inner_, int extent_, int depth_>
struct SharedTile {
  static constexpr Inner inner = inner_;
  static constexpr int extent = extent_, depth = depth_;
  static constexpr int width = vector_elements<T>;
  static constexpr int rows = inner == Inner::depth ? extent : depth;
  static constexpr int chunks = (inner == Inner::depth ? depth : extent) / width;
  static constexpr int bytes = extent * depth * static_cast<int>(sizeof(T));
  static_assert(chunks == 4 || chunks % 8 == 0, "the permutation is made for rows of 64 bytes or of whole banks");

  static __device__ __forceinline__ T* chunk(T* tile, int row, int column) {
    return tile + (row * chunks + permuted(row, column)) * width;
  }
  static __device__ __forceinline__ const T* chunk(const T* tile, int row, int column) {
    return tile + (row * chunks + permuted(row, column)) * width;
  }

 private:
  static __device__ __forceinline__ int permuted(int row, int column) {
    if constexpr (chunks == 4) return column ^ ((row >> 1) & 3);
    // Four rows of eight float each, as an operand of a tf32 product is gathered.
    if constexpr (sizeof(T) == 4) return column ^ ((row & 3) << 1);
    return column ^ (row & 7);
  }
};

}  // namespace layerwise::cuda
