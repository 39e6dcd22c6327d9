// What the implicit GEMM does with a block's part of C, float32 in shared memory, beside storing it.
#pragma once

#include "backend/cuda/device_code.h"
#include "backend/cuda/divisor.h"

namespace layerwise::cuda {

/// Which part of a block's C a thread goes over: four neighbouring columns, of every fourth row of its warp's rows. The
/// eight lanes side by side cover 32 columns, 128 bytes of float32: what a quarter of a warp reads at once lies in
/// different banks, and what it writes are whole sectors. A warp has 32 columns of all rows, or of a part of them where
/// there are more warps than columns.
template <class Block>
struct WarpColumns {
  static constexpr int lanes_across = 8, lanes_down = 4, columns = 4 * lanes_across;
  static constexpr int warps_across = Block::columns / columns;
  static constexpr int groups = Block::threads / 32 / warps_across;
  static constexpr int rows = Block::rows / groups;  // of a warp
  static_assert(warps_across * columns == Block::columns && warps_across * groups * 32 == Block::threads &&
                    rows * groups == Block::rows && rows % lanes_down == 0,
                "all threads have as many rows, of whole columns");

  int row, column;  // of C: the warp's first row, the thread's first column
  const float* values;  // the element of both, in shared memory

  /// The threads that call it are Block::threads neighbours, beginning with a multiple of that number.
  __device__ __forceinline__ WarpColumns(const float* tile, int tile_row, int tile_column) {
    const int warp = static_cast<int>(threadIdx.x) % Block::threads / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int down = warp / warps_across * rows, across = warp % warps_across * columns + lane % lanes_across * 4;
    row = tile_row + down;
    column = tile_column + across;
    values = tile + down * Block::row_stride + across;
  }

  /// The thread's first row at or below `from`.
  __device__ __forceinline__ int first_row(int from) const {
    const int lane_row = static_cast<int>(threadIdx.x) % 32 / lanes_across;
    return from + ((lane_row - (from - row)) & (lanes_down - 1));
  }
  __device__ __forceinline__ void load(int of_row, float (&four)[4]) const {
    load_elements(values + (of_row - row) * Block::row_stride, four);
  }

  /// Added up over the warp's rows, in a fixed order; all lanes get the result.
  static __device__ __forceinline__ float sum_down(float value) {
    value += __shfl_xor_sync(all_lanes, value, lanes_across);
    return value + __shfl_xor_sync(all_lanes, value, 2 * lanes_across);
  }
  static __device__ __forceinline__ bool is_first_lane_down() {
    return static_cast<int>(threadIdx.x) % 32 < lanes_across;
  }
};

/// Which position of a map a row of C is: the same. (Other orders: hopper/map_tiles.h.) from(first_row) is the order for the
/// rows of a block's part of C, worked out as far as it is the same for all of them.
struct RowsInOrder {
  __device__ __forceinline__ RowsInOrder from(int) const { return {}; }
  __device__ __forceinline__ int position(int row) const { return row; }
};

/// Four neighbours from column `column` on: at once where `fours` says that they lie at an aligned address, or else those
/// of them that there are. Rows have `columns` elements.
template <bool fours, class T>
__device__ __forceinline__ void load_neighbours(const T* row, int column, int columns, float (&values)[4]) {
  if constexpr (fours) {
    load_four(row + column, values);
  } else {
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e) values[e] = column + e < columns ? load_element(row + column + e) : 0.0f;
  }
}
template <bool fours, class T>
__device__ __forceinline__ void store_neighbours(T* row, int column, int columns, const float (&values)[4]) {
  if constexpr (fours) {
    store_four(row + column, values);
  } else {
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e)
      if (column + e < columns) store_element(row + column + e, values[e]);
  }
}

/// Mean and sum of squared deviations of some values, from Σ d and Σ d², d being the distance from one of the values:
/// Σ d² − (Σ d)² / n then loses at most a factor n of the precision of Σ (y − mean)², since one value's squared distance
/// from the mean is no more than all of them together.
struct ShiftedSums {
  float shift[4] = {}, sum[4] = {}, squares[4] = {};  // of four columns

  __device__ __forceinline__ void add(const float (&values)[4]) {
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e) {
      const float d = values[e] - shift[e];
      sum[e] += d;
      squares[e] = fmaf(d, d, squares[e]);
    }
  }
};

/// Means and sums of squared deviations from them, over pieces of the rows of C that are merged afterwards
/// (merge_moments.cu): per warp's rows, and within them per sample of `positions` rows.
struct MomentPieces {
  float2* pieces;  // (samples, slots, columns): slot i of a sample is the i-th group of rows that touches it
  Divisor positions;
  int slots;

  /// Merges what the warp's lanes have of `count` rows of a sample, `own_count` of them in this lane: Chan, Golub and
  /// LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1.
  template <class Columns>
  __device__ __forceinline__ void put(const ShiftedSums& sums, int own_count, int sample, int count,
                                      const Columns& mine, int columns) const {
    const int slot = mine.row / Columns::rows - sample * positions.divisor() / Columns::rows;
    float2* const to = pieces + (static_cast<int64_t>(sample) * slots + slot) * columns;
    const float n = static_cast<float>(own_count), reciprocal = own_count > 0 ? 1 / n : 0.0f;
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e) {
      const float distance = sums.sum[e] * reciprocal, mean = sums.shift[e] + distance;
      const float all = Columns::sum_down(n * mean) / static_cast<float>(count);
      const float squares = fmaxf(sums.squares[e] - sums.sum[e] * distance, 0.0f);
      const float m2 = Columns::sum_down(squares + n * (mean - all) * (mean - all));
      if (Columns::is_first_lane_down() && mine.column + e < columns) to[mine.column + e] = {all, m2};
    }
  }
};

/// C + bias → y, in T; and the moments of C. `fours`, here and below: four neighbours of what is read and written lie at
/// an aligned address. Rows of one sample follow each other in every Order.
template <class T, class Order = RowsInOrder>
struct ForwardEpilogue {
  T* output;
  int rows, columns;
  const float* bias;   // or null
  MomentPieces moments;  // pieces null: none
  Order order = {};

  template <class Block, bool fours>
  __device__ __forceinline__ void finish(const float* tile, int tile_row, int tile_column, int) const {
    using Columns = WarpColumns<Block>;
    const Columns mine(tile, tile_row, tile_column);
    const int end = min(mine.row + Columns::rows, rows);
    const auto here = order.from(tile_row);
    const bool in_columns = mine.column < columns;
    float biases[4] = {};
    if (bias != nullptr) load_neighbours<false>(bias, mine.column, columns, biases);
    const bool has_moments = moments.pieces != nullptr;
    for (int first = mine.row; first < end;) {  // sample by sample; all lanes take part in put()
      const int sample = has_moments ? moments.positions.quotient(first) : 0;
      const int stop = has_moments ? min(end, (sample + 1) * moments.positions.divisor()) : end;
      const int begin = mine.first_row(first);
      ShiftedSums sums;
      if (has_moments && begin < stop) mine.load(begin, sums.shift);
      for (int row = begin; row < stop; row += Columns::lanes_down) {
        float values[4];
        mine.load(row, values);
        if (has_moments) sums.add(values);
        LAYERWISE_UNROLL
        for (int e = 0; e < 4; ++e) values[e] += biases[e];
        if (in_columns)
          store_neighbours<fours>(output + static_cast<int64_t>(here.position(row)) * columns, mine.column, columns,
                                  values);
      }
      const int own_count = begin < stop ? (stop - begin + Columns::lanes_down - 1) / Columns::lanes_down : 0;
      if (has_moments) moments.put(sums, own_count, sample, stop - first, mine, columns);
      first = stop;
    }
  }
};

/// C → float32, one matrix per piece of the sum.
struct PartialEpilogue {
  float* output;  // (pieces, rows, columns)
  int rows, columns;

  template <class Block, bool fours>
  __device__ __forceinline__ void finish(const float* tile, int tile_row, int tile_column, int piece) const {
    float* const to = output + static_cast<int64_t>(piece) * rows * columns;
    using Columns = WarpColumns<Block>;
    const Columns mine(tile, tile_row, tile_column);
    const int end = min(mine.row + Columns::rows, rows);
    if (mine.column >= columns) return;
    for (int row = mine.first_row(mine.row); row < end; row += Columns::lanes_down) {
      float values[4];
      mine.load(row, values);
      store_neighbours<fours>(to + static_cast<int64_t>(row) * columns, mine.column, columns, values);
    }
  }
};

}  // namespace layerwise::cuda
