// The products of the implicit GEMM: a block's tiles of A and B in shared memory, multiplied and added to
// accumulators in registers.
//
// Each class has the block's tile, the element type T and the depth of one tile, and
//   accumulate<TileA, TileB>(a, b)   C += A · B for one pair of tiles
//   store<TileA, TileB>(to)          C in shared memory, as Block::rows rows of Block::row_stride floats
#pragma once

#include "backend/cuda/gemm_tiles.cuh"

namespace layerwise::cuda {

enum class OperandOf { rows, columns };  // of C: A or B

/// The fragments of 16 rows of A (columns of B) from `start` and 32 bytes of depth from chunk `step` · 2, as
/// the m16n8 products hold them: a[0 … 3] of A; b[0], b[1] of B's first eight columns, then of the other eight.
template <class T, class Tile, OperandOf operand>
__device__ __forceinline__ void load_fragments(const T* tile, int start, int step, uint32_t (&fragments)[4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if constexpr (Tile::inner == Inner::depth || sizeof(T) == 2) {
    const int matrix = lane / 8, row = lane % 8;
    const int half = operand == OperandOf::rows ? matrix % 2 : matrix / 2;
    const int depth_half = operand == OperandOf::rows ? matrix / 2 : matrix % 2;
    if constexpr (Tile::inner == Inner::depth)
      load_matrix_x4(fragments, Tile::chunk(tile, start + 8 * half + row, 2 * step + depth_half));
    else
      load_matrix_x4_transposed(fragments,
                                Tile::chunk(tile, 16 * step + 8 * depth_half + row, start / Tile::width + half));
  } else {  // 8 terms of float, which ldmatrix does not transpose
    for (int matrix = 0; matrix < 4; ++matrix) {
      const int half = operand == OperandOf::rows ? matrix % 2 : matrix / 2;
      const int depth_half = operand == OperandOf::rows ? matrix / 2 : matrix % 2;
      const int at = start + 8 * half + lane / 4;
      const T* chunk = Tile::chunk(tile, 8 * step + 4 * depth_half + lane % 4, at / Tile::width);
      fragments[matrix] = __float_as_uint(chunk[at % Tile::width]);
    }
  }
}

/// mma.sync: bf16 products of depth 16 or tf32 products of depth 8, either of 32 bytes.
///
/// Threads: each warp has Block::warp_rows × Block::warp_columns of C, in fragments of 16×8 of which a
/// lane holds two neighbours in rows lane / 4 and lane / 4 + 8.
template <class Block_, class T_, int depth_>
class TensorCoreProduct {
 public:
  using Block = Block_;
  using T = T_;
  static constexpr int depth = depth_;

  template <class TileA, class TileB>
  __device__ __forceinline__ void accumulate(const T* a, const T* b) {
    constexpr int steps = depth * static_cast<int>(sizeof(T)) / 32;
    for (int step = 0; step < steps; ++step) {
      uint32_t fragments_a[row_tiles][4];
      LAYERWISE_UNROLL
      for (int i = 0; i < row_tiles; ++i) {
        load_fragments<T, TileA, OperandOf::rows>(a, first_row() + 16 * i, step, fragments_a[i]);
        rounded(fragments_a[i]);
      }
      LAYERWISE_UNROLL
      for (int j = 0; j < column_tiles; j += 2) {
        uint32_t fragments_b[4];
        load_fragments<T, TileB, OperandOf::columns>(b, first_column() + 8 * j, step, fragments_b);
        rounded(fragments_b);
        const uint32_t left[2] = {fragments_b[0], fragments_b[1]}, right[2] = {fragments_b[2], fragments_b[3]};
        LAYERWISE_UNROLL
        for (int i = 0; i < row_tiles; ++i) {
          multiply(sums_[i][j], fragments_a[i], left);
          multiply(sums_[i][j + 1], fragments_a[i], right);
        }
      }
    }
  }

  template <class TileA, class TileB>
  __device__ __forceinline__ void store(float* to) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    LAYERWISE_UNROLL
    for (int i = 0; i < row_tiles; ++i) {
      LAYERWISE_UNROLL
      for (int j = 0; j < column_tiles; ++j) {
        float* const at =
            to + (first_row() + 16 * i + lane / 4) * Block::row_stride + first_column() + 8 * j + lane % 4 * 2;
        store_two(at, sums_[i][j][0], sums_[i][j][1]);
        store_two(at + 8 * Block::row_stride, sums_[i][j][2], sums_[i][j][3]);
      }
    }
  }

 private:
  static constexpr int row_tiles = Block::warp_rows / 16, column_tiles = Block::warp_columns / 8;

  static __device__ __forceinline__ void store_two(float* to, float first, float second) {
    store_half_vector(to, {{__float_as_uint(first), __float_as_uint(second)}});
  }
  static __device__ __forceinline__ int first_row() {
    return static_cast<int>(threadIdx.x) / 32 / Block::warps_across * Block::warp_rows;
  }
  static __device__ __forceinline__ int first_column() {
    return static_cast<int>(threadIdx.x) / 32 % Block::warps_across * Block::warp_columns;
  }
  static __device__ __forceinline__ void rounded(uint32_t (&fragments)[4]) {
    if constexpr (sizeof(T) == 4)
      for (int i = 0; i < 4; ++i) fragments[i] = to_tf32(__uint_as_float(fragments[i]));
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (sizeof(T) == 4)
      mma_tf32_16x8x8(d, a, b);
    else
      mma_bf16_16x8x16(d, a, b);
  }

  float sums_[row_tiles][column_tiles][4] = {};
};

template <class Block>
using Bfloat16Product = TensorCoreProduct<Block, Bfloat16, 32>;
template <class Block>
using TensorFloat32Product = TensorCoreProduct<Block, float, 16>;

/// Fused multiply-add in float32.
///
/// Threads: 16 across, each with 8 rows by Block::columns / 16 columns of C. Where depth is the inner
/// direction of an operand's tile, a thread's rows (columns) are those that leave the same remainder;
/// otherwise they are fours of neighbours. A term is read as part of 16 bytes either way.
template <class Block_>
class Float32Product {
 public:
  using Block = Block_;
  using T = float;
  static constexpr int depth = 16;

  template <class TileA, class TileB>
  __device__ __forceinline__ void accumulate(const float* a, const float* b) {
    for (int k = 0; k < depth; k += 4) {
      float terms_a[rows][4];
      load<TileA, rows, threads_down>(a, k, thread_row(), terms_a);
      LAYERWISE_UNROLL
      for (int part = 0; part < columns; part += 4) {
        float terms_b[4][4];
        load<TileB, 4, threads_across>(b, k, thread_column() + part_offset<TileB>(part), terms_b);
        LAYERWISE_UNROLL
        for (int i = 0; i < rows; ++i)
          LAYERWISE_UNROLL
          for (int j = 0; j < 4; ++j)
            LAYERWISE_UNROLL
            for (int q = 0; q < 4; ++q) sums_[i][part + j] = fmaf(terms_a[i][q], terms_b[j][q], sums_[i][part + j]);
      }
    }
  }

  template <class TileA, class TileB>
  __device__ __forceinline__ void store(float* to) const {
    LAYERWISE_UNROLL
    for (int i = 0; i < rows; ++i) {
      const int row = place<TileA, threads_down>(thread_row(), i);
      LAYERWISE_UNROLL
      for (int j = 0; j < columns; ++j)
        to[row * Block::row_stride + place<TileB, threads_across>(thread_column(), j)] = sums_[i][j];
    }
  }

 private:
  static constexpr int threads_across = 16, threads_down = Block::threads / threads_across;
  static constexpr int rows = Block::rows / threads_down, columns = Block::columns / threads_across;

  static __device__ __forceinline__ int thread_row() { return static_cast<int>(threadIdx.x) / threads_across; }
  static __device__ __forceinline__ int thread_column() { return static_cast<int>(threadIdx.x) % threads_across; }

  /// The row (column) of C that is a thread's number i, of `threads` threads.
  template <class Tile, int threads>
  static __device__ __forceinline__ int place(int thread, int i) {
    return Tile::inner == Inner::depth ? thread + i * threads : i / 4 * 4 * threads + 4 * thread + i % 4;
  }
  /// What to add to a thread's index so that its elements from number `part` become the first ones.
  template <class Tile>
  static constexpr int part_offset(int part) {
    return Tile::inner == Inner::depth ? part * threads_across : part / 4 * threads_across;
  }

  template <class Tile, int count, int threads>
  static __device__ __forceinline__ void load(const float* tile, int k, int thread, float (&terms)[count][4]) {
    if constexpr (Tile::inner == Inner::depth) {
      LAYERWISE_UNROLL
      for (int i = 0; i < count; ++i) load_elements(Tile::chunk(tile, thread + i * threads, k / 4), terms[i]);
    } else {
      LAYERWISE_UNROLL
      for (int q = 0; q < 4; ++q) {
        LAYERWISE_UNROLL
        for (int i = 0; i < count; i += 4) {
          float four[4];
          load_elements(Tile::chunk(tile, k + q, i / 4 * threads + thread), four);
          LAYERWISE_UNROLL
          for (int j = 0; j < 4; ++j) terms[i + j][q] = four[j];
        }
      }
    }
  }

  float sums_[rows][columns] = {};
};

}  // namespace layerwise::cuda
