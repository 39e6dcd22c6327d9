// What the implicit GEMM does with a block's part of C, float32 in shared memory, beside storing it.
#pragma once

#include "backend/cuda/device_code.h"
#include "backend/cuda/divisor.h"

namespace layerwise::cuda {

/// `width` neighbouring elements, 16 aligned bytes or one.
template <int width, class T>
__device__ __forceinline__ void read_elements(const T* from, float (&values)[width]) {
  if constexpr (width == 1)
    values[0] = load_element(from);
  else
    load_elements(from, values);
}
template <int width, class T>
__device__ __forceinline__ void write_elements(T* to, const float (&values)[width]) {
  if constexpr (width == 1)
    store_element(to, values[0]);
  else
    store_elements(to, values);
}

/// Calls body(row, column) for the elements of a block's part of C that exist, `width` neighbours at a time:
/// neighbouring threads take neighbours in memory.
template <class Block, int width, class Body>
__device__ __forceinline__ void for_each_of_tile(int rows, int columns, const Body& body) {
  constexpr int across = Block::columns / width;
  for (int i = static_cast<int>(threadIdx.x); i < Block::rows * across; i += Block::threads) {
    const int row = i / across, column = i % across * width;
    if (row < rows && column < columns) body(row, column);
  }
}

/// Which rows of C a thread sums: those of one column and one of threads / columns groups of neighbouring rows.
template <class Block>
struct ColumnGroup {
  static constexpr int groups = Block::threads / Block::columns;
  static constexpr int rows = Block::rows / groups;
  static_assert(groups * Block::columns == Block::threads && groups * rows == Block::rows, "all threads sum");
  static __device__ __forceinline__ int column() { return static_cast<int>(threadIdx.x) % Block::columns; }
  static __device__ __forceinline__ int first_row() {
    return static_cast<int>(threadIdx.x) / Block::columns * rows;
  }
};

/// Means and sums of squared deviations from them, over pieces of the rows of C that are merged afterwards
/// (moments.cuh): per group of rows, and within a group per sample of `positions` rows. Subtracting each
/// piece's own mean keeps the precision that Σy² − (Σy)²/n would lose.
struct MomentPieces {
  float2* pieces;  // (samples, slots, columns): slot i of a sample is the i-th group of rows that touches it
  Divisor positions;
  int slots;

  template <class Block>
  __device__ __forceinline__ void add(const float* tile, int tile_row, int tile_column, int rows, int columns) const {
    using Group = ColumnGroup<Block>;
    const int column = tile_column + Group::column();
    const int begin = tile_row + Group::first_row(), end = min(begin + Group::rows, rows);
    if (column >= columns) return;
    const float* const values = tile + Group::column();
    for (int first = begin; first < end;) {
      const int sample = positions.quotient(first);
      const int stop = min(end, (sample + 1) * positions.divisor());
      float sum = 0, squares = 0;
      for (int r = first; r < stop; ++r) sum += values[(r - tile_row) * Block::row_stride];
      const float mean = sum / static_cast<float>(stop - first);
      for (int r = first; r < stop; ++r) {
        const float deviation = values[(r - tile_row) * Block::row_stride] - mean;
        squares = fmaf(deviation, deviation, squares);
      }
      const int slot = begin / Group::rows - sample * positions.divisor() / Group::rows;
      pieces[(static_cast<int64_t>(sample) * slots + slot) * columns + column] = {mean, squares};
      first = stop;
    }
  }
};

/// C + bias → y, in T or for further arithmetic in float32; and the moments of C.
template <class T>
struct ForwardEpilogue {
  T* output;
  float* wide_output;  // instead of `output`, or null
  bool vectors;        // rows of the output are whole aligned chunks of 16 bytes
  int rows, columns;
  const float* bias;   // or null
  MomentPieces moments;  // pieces null: none

  template <class Block>
  __device__ __forceinline__ void finish(float* tile, int tile_row, int tile_column, int) const {
    if (wide_output != nullptr)
      write<Block, 1>(wide_output, tile, tile_row, tile_column);
    else if (vectors)
      write<Block, vector_elements<T>>(output, tile, tile_row, tile_column);
    else
      write<Block, 1>(output, tile, tile_row, tile_column);
    if (moments.pieces != nullptr) moments.template add<Block>(tile, tile_row, tile_column, rows, columns);
  }

 private:
  template <class Block, int width, class Out>
  __device__ __forceinline__ void write(Out* to, const float* tile, int tile_row, int tile_column) const {
    for_each_of_tile<Block, width>(rows - tile_row, columns - tile_column, [&](int row, int column) {
      float values[width];
      for (int e = 0; e < width; ++e) {
        values[e] = tile[row * Block::row_stride + column + e];
        if (bias != nullptr) values[e] += bias[tile_column + column + e];
      }
      write_elements(to + static_cast<int64_t>(tile_row + row) * columns + tile_column + column, values);
    });
  }
};

/// C → float32, one matrix per piece of the sum.
struct PartialEpilogue {
  float* output;  // (pieces, rows, columns)
  int rows, columns;

  template <class Block>
  __device__ __forceinline__ void finish(float* tile, int tile_row, int tile_column, int piece) const {
    for_each_of_tile<Block, 1>(rows - tile_row, columns - tile_column, [&](int row, int column) {
      output[(static_cast<int64_t>(piece) * rows + tile_row + row) * columns + tile_column + column] =
          tile[row * Block::row_stride + column];
    });
  }
};

}  // namespace layerwise::cuda
