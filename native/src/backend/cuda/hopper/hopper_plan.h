// How Hopper products are cut into tiles and pieces. It follows from shapes and the number of multiprocessors alone, so that a
// device gives the same bits every time. As in gemm_plan.h, costs are estimates in seconds on a card like an H100, of which
// only ratios matter: rounds · (time of a tile's or piece's sum + what it begins and ends with) + bytes of pieces / bandwidth.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cuda/gemm_plan.h"
#include "backend/cuda/hopper/map_tiles.h"

namespace layerwise::cuda::hopper {

constexpr int tiles_in_band = 16;
constexpr int tile_columns = 128;

/// FLOP/s of a multiprocessor, and the seconds for which it does not multiply while it begins a tile, and stores its sums.
constexpr double product_rate = 6.0e12, begin_seconds = 1.5e-6, seconds_to_store_row = 2e-8;

struct MapPlan {
  MapTiles tiles;
  int64_t row_tiles, column_tiles;
};

/// For C of all the map's positions × columns.
inline MapPlan plan_map_product(const Shape& map, int64_t channels, int64_t columns, int multiprocessors) {
  MapPlan best{};
  double least = 0;
  for (const int rows : {256, 128}) {
    const MapTiles tiles(map, rows);
    const int64_t row_tiles = divided(tiles.rows(), rows), column_tiles = divided(columns, tile_columns);
    const int64_t rounds = divided(row_tiles * column_tiles, multiprocessors);
    const double flops = 2.0 * rows * tile_columns * all_taps * static_cast<double>(channels);
    const double seconds =
        static_cast<double>(rounds) * (flops / product_rate + begin_seconds + rows * seconds_to_store_row);
    if (best.row_tiles > 0 && seconds >= least) continue;
    best = {tiles, row_tiles, column_tiles};
    least = seconds;
  }
  return best;
}

struct WeightPlan {
  int64_t tiles;  // of C
  int64_t pieces, chunks_of_piece;
};

/// For a sum over `chunks` of `positions` each.
inline WeightPlan plan_weight_product(int64_t out_channels, int64_t in_channels, int64_t chunks, int positions,
                                      int multiprocessors) {
  constexpr double bytes_per_second = 3.0e12;
  constexpr int64_t fewest_chunks = 4;
  WeightPlan plan{};
  plan.tiles = divided(out_channels, tile_columns) * divided(in_channels, tile_columns) * taps_across;
  const double chunk_seconds = 2.0 * tile_columns * taps_across * tile_columns * positions / product_rate;
  const double fixed_seconds = begin_seconds + taps_across * tile_columns * seconds_to_store_row;
  const int64_t most_pieces = std::clamp<int64_t>(std::min(chunks / fewest_chunks, divided(4 * multiprocessors, plan.tiles)),
                                                  1, 65535);
  const auto estimate = [&](int64_t length, int64_t pieces) {
    const int64_t rounds = divided(plan.tiles * pieces, multiprocessors);
    const double sum_bytes =
        pieces == 1 ? 0 : 8.0 * static_cast<double>(pieces * out_channels * all_taps * in_channels);
    return static_cast<double>(rounds) * (static_cast<double>(length) * chunk_seconds + fixed_seconds) +
           sum_bytes / bytes_per_second;
  };
  const Division division = cheapest_division(chunks, most_pieces, estimate);
  plan.pieces = division.pieces;
  plan.chunks_of_piece = division.terms;
  return plan;
}

}  // namespace layerwise::cuda::hopper
