// The epilogue of the similarity branch's data gradient: from dh to g (hidden_gradient.cu).
#pragma once

#include "backend/cuda/epilogues.cuh"

namespace layerwise::cuda {

/// Threads: each takes four neighbouring channels of every fourth row (WarpColumns); h, y and d_h of four such rows are on
/// their way at a time.
template <class T, class Order = RowsInOrder>
struct HiddenEpilogue {
  T* g;
  const T* h;
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
  Order order;

  /// `has_product`: whether dh of the branch is in the tile; otherwise there is none.
  template <class Block, bool fours, bool has_product = true>
  __device__ __forceinline__ void finish(const float* tile, int tile_row, int tile_column, int) const {
    using Columns = WarpColumns<Block>;
    const Columns mine(tile, tile_row, tile_column);
    const int end = min(mine.row + Columns::rows, rows);
    const auto here = order.from(tile_row);
    float mean[4] = {}, sum[4] = {}, product[4] = {};
    if (y != nullptr) load_neighbours<false>(mean_y, mine.column, channels, mean);
    const int begin = mine.column < channels ? mine.first_row(mine.row) : end;
    for (int first = begin; first < end; first += rows_ahead * Columns::lanes_down) {
      float hidden[rows_ahead][4], before[rows_ahead][4], more[rows_ahead][4];
      LAYERWISE_UNROLL
      for (int i = 0; i < rows_ahead; ++i) {
        const int row = first + i * Columns::lanes_down;
        if (row >= end) continue;
        const int64_t at = static_cast<int64_t>(here.position(row)) * channels;
        load_neighbours<fours>(h + at, mine.column, channels, hidden[i]);
        if (y != nullptr) load_neighbours<fours>(y + at, mine.column, channels, before[i]);
        if (d_h != nullptr) load_neighbours<fours>(d_h + at, mine.column, channels, more[i]);
      }
      LAYERWISE_UNROLL
      for (int i = 0; i < rows_ahead; ++i) {
        const int row = first + i * Columns::lanes_down;
        if (row >= end) continue;
        float values[4] = {};
        if constexpr (has_product) mine.load(row, values);
        int rest, w;
        const int position = here.position(row), n = area.quotient(position, rest);
        const int row_of_map = row_width.quotient(rest, w);
        if (d_pooled != nullptr) add_pooled<fours>(values, n, row_of_map, w, mine.column);
        if (d_output != nullptr) add_output<fours>(values, position, n, row_of_map, w, mine.column);
        LAYERWISE_UNROLL
        for (int e = 0; e < 4; ++e) {
          if (d_h != nullptr) values[e] += more[i][e];
          if (!(hidden[i][e] > 0)) values[e] *= negative_slope;
          sum[e] += values[e];
          if (y != nullptr) product[e] = fmaf(values[e], before[i][e] - mean[e], product[e]);
        }
        store_neighbours<fours>(g + static_cast<int64_t>(position) * channels, mine.column, channels, values);
      }
    }
    if (y == nullptr || mine.row >= end) return;  // the same for all lanes
    float2* const to = pairs + static_cast<int64_t>(mine.row / Columns::rows) * channels + mine.column;
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e) {
      const float2 pair = {Columns::sum_down(sum[e]), Columns::sum_down(product[e])};
      if (Columns::is_first_lane_down() && mine.column + e < channels) to[e] = pair;
    }
  }

 private:
  static constexpr int rows_ahead = 4;  // whose h, y and d_h are on their way at a time

  template <bool fours>
  __device__ __forceinline__ void add_pooled(float (&values)[4], int n, int row, int w, int c) const {
    const int window_row = pool_height.quotient(row + pool_padding_height);
    const int window_column = pool_width.quotient(w + pool_padding_width);
    if (window_row >= pooled_height || window_column >= pooled_width) return;
    const int64_t window = (static_cast<int64_t>(n) * pooled_height + window_row) * pooled_width + window_column;
    float more[4];
    load_neighbours<fours>(d_pooled + window * channels, c, channels, more);
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e) values[e] = fmaf(pooled_weight, more[e], values[e]);
  }

  template <bool fours>
  __device__ __forceinline__ void add_output(float (&values)[4], int m, int n, int row, int w, int c) const {
    int64_t from = m;
    int first[4] = {};  // position of the window's first maximum, in row order
    int here = 0;
    if (max_pool) {
      if (row / 2 >= output_height || w / 2 >= output_width) return;
      from = (static_cast<int64_t>(n) * output_height + row / 2) * output_width + w / 2;
      here = row % 2 * 2 + w % 2;
      first_maximum<fours>(first, m - row % 2 * width - w % 2, c);
    }
    float more[4], factors[4] = {1, 1, 1, 1};
    load_neighbours<fours>(d_output + from * channels, c, channels, more);
    if (dropout != nullptr) load_neighbours<false>(dropout + static_cast<int64_t>(n) * channels, c, channels, factors);
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e)
      if (first[e] == here) values[e] = fmaf(factors[e], more[e], values[e]);
  }

  /// `m`: the first position of the 2×2 window.
  template <bool fours>
  __device__ __forceinline__ void first_maximum(int (&first)[4], int64_t m, int c) const {
    float largest[4];
    load_neighbours<fours>(h + m * channels, c, channels, largest);
    LAYERWISE_UNROLL
    for (int position = 1; position < 4; ++position) {
      float other[4];
      load_neighbours<fours>(h + (m + position / 2 * width + position % 2) * channels, c, channels, other);
      LAYERWISE_UNROLL
      for (int e = 0; e < 4; ++e) {
        if (!(other[e] > largest[e])) continue;
        largest[e] = other[e];
        first[e] = position;
      }
    }
  }
};

}  // namespace layerwise::cuda
