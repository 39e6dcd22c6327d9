// How the Hopper kernels cut maps into tiles, and how they plan their work: arithmetic that needs no kernel.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "backend/cuda/hopper/hopper_plan.h"
#include "backend/cuda/hopper/map_product.cuh"
#include "backend/cuda/hopper/weight_product.cuh"

namespace layerwise::test {

namespace {

using namespace layerwise::cuda;

const std::vector<Shape> maps = {{3, 32, 32, 8}, {1, 48, 16, 8}, {3, 16, 16, 8}, {2, 8, 16, 8},  {2, 8, 24, 8}, {1, 16, 40, 8},
                                 {5, 8, 8, 8},   {1, 24, 8, 8},  {3, 4, 4, 8},   {7, 2, 2, 8},   {2, 7, 7, 8},  {1, 14, 14, 8},
                                 {2, 8, 12, 8},  {2, 12, 8, 8},  {3, 5, 64, 8},  {9, 1, 1, 8},   {2, 3, 32, 8}, {2, 3, 8, 8}};

std::string name_of(const Shape& map) {
  return std::to_string(map.n) + "x" + std::to_string(map.h) + "x" + std::to_string(map.w);
}

/// The position that a tap (0 … 8) meets from a position, or -1.
int64_t met(const Shape& map, int64_t position, int tap) {
  const int64_t n = position / map.positions(), h = position % map.positions() / map.w + tap / 3 - 1;
  const int64_t w = position % map.w + tap % 3 - 1;
  return h < 0 || w < 0 || h >= map.h || w >= map.w ? -1 : (n * map.h + h) * map.w + w;
}

}  // namespace

TEST(MapTiles, rows_are_all_positions_sample_by_sample) {
  for (const Shape& map : maps) {
    for (const int tile_rows : {128, 256}) {
      const MapTiles tiles(map, tile_rows);
      ASSERT_EQ(tiles.rows(), map.n * map.positions());
      std::set<int> seen;
      for (int row = 0; row < tiles.rows(); ++row) {
        const int position = tiles.from(row / 64 * 64).position(row);
        EXPECT_EQ(position / map.positions(), row / map.positions()) << name_of(map) << ", row " << row;
        seen.insert(position);
      }
      EXPECT_EQ(seen.size(), static_cast<size_t>(tiles.rows())) << name_of(map);
      EXPECT_GE(*seen.begin(), 0);
      EXPECT_LT(*seen.rbegin(), tiles.rows());
    }
  }
}

TEST(MapTiles, products_find_what_each_tap_meets) {
  for (const Shape& map : maps) {
    for (const int tile_rows : {128, 256}) {
      const MapTiles tiles(map, tile_rows);
      for (int row = 0; row < tiles.rows(); ++row) {
        const int tile = row / tile_rows, patch = row % tile_rows / 64, line = row % 64 / 8;
        for (int tap = 0; tap < all_taps; ++tap) {
          const int place = tiles.place_of_patch(patch) + line * tiles.places_between_lines() + row % 8 +
                            tiles.places_to_tap(tap);
          ASSERT_LT(place, tiles.staged_positions()) << name_of(map);
          ASSERT_EQ(tiles.position_at(tile, place, tap), met(map, tiles.from(row / 64 * 64).position(row), tap))
              << name_of(map) << ", tiles of " << tile_rows << ", row " << row << ", tap " << tap;
        }
      }
    }
  }
}

TEST(MapTiles, rows_past_the_last_are_staged_as_zeros) {
  const MapTiles regions({5, 8, 8, 8}, 256), apart({3, 4, 4, 8}, 128);
  for (int place = 100; place < regions.staged_positions(); ++place) EXPECT_EQ(regions.position_at(1, place, 0), -1);
  for (int place = 48; place < apart.staged_positions(); ++place) EXPECT_EQ(apart.position_at(0, place, 4), -1);
}

TEST(MapTiles, several_slots_fit_into_shared_memory) {
  using Product = MapProduct<Inner::depth, 2, ForwardEpilogue<Bfloat16, MapTiles>>;
  for (const Shape& map : maps) {
    for (const int tile_rows : {128, 256}) {
      const MapTiles tiles(map, tile_rows);
      const int bytes = Product::planes_of_map * plane_length(tiles.staged_positions(), Product::planes_of_map) * place_bytes;
      EXPECT_GE(Product::map_room / bytes, Product::maps_ahead + 2) << name_of(map);
    }
    const LineChunks chunks(map);
    const int bytes = WeightProduct::planes * (WeightProduct::gradient_plane_bytes +
                                               plane_length(chunks.staged_places(), WeightProduct::planes) * place_bytes);
    EXPECT_GE(WeightProduct::room / bytes, WeightProduct::ahead + 2) << name_of(map);
  }
}

TEST(LineChunks, products_find_what_each_tap_meets) {
  for (const Shape& map : maps) {
    const LineChunks chunks(map);
    EXPECT_EQ(chunks.in_lines(), map.w == 8 || map.w == 16 || map.w == 32);
    ASSERT_EQ(chunks.chunks(), (map.n * map.positions() + 31) / 32);
    for (int row = 0; row < chunks.chunks() * 32; ++row) {
      const int chunk = row / 32, first = row % 32 / 16 * 16;
      for (int tap = 0; tap < all_taps; ++tap) {
        const int place = chunks.place_of(first) + row % 16 / 8 * chunks.places_to_next_eight() + row % 8 +
                          chunks.places_to_tap(tap % 3);
        ASSERT_LT(place, chunks.staged_places()) << name_of(map);
        const int64_t wanted = row < chunks.rows() ? met(map, row, tap) : -1;
        ASSERT_EQ(chunks.position_at(chunk, place, tap / 3), wanted) << name_of(map) << ", row " << row << ", tap " << tap;
      }
    }
  }
}

TEST(Planes, keep_copies_of_neighbouring_threads_in_different_banks) {
  for (const int across : {4, 16}) {
    for (const int places : {1, 32, 100, 128, 180, 256, 324, 400}) {
      const int length = plane_length(places, across);
      ASSERT_GE(length, places);
      ASSERT_LT(length, places + 8);
      for (int quarter = 0; quarter < 32; quarter += 8) {
        std::set<int> banks;
        for (int lane = quarter; lane < quarter + 8; ++lane)
          banks.insert((lane % across * length + lane / across) % 8);
        EXPECT_EQ(banks.size(), 8u) << places << " places, " << across << " threads across";
      }
    }
  }
}

TEST(HopperPlan, takes_larger_tiles_where_they_fill_the_device) {
  // vgg8b's convolutions of 32×32 and 16×16 maps, and those of 4×4 maps, of which there are few positions.
  EXPECT_EQ(hopper::plan_map_product({128, 32, 32, 128}, 128, 256, 132).tiles.tile_rows(), 256);
  EXPECT_EQ(hopper::plan_map_product({128, 16, 16, 512}, 512, 512, 132).tiles.tile_rows(), 256);
  EXPECT_EQ(hopper::plan_map_product({128, 4, 4, 512}, 512, 512, 132).tiles.tile_rows(), 128);
}

TEST(HopperPlan, divides_the_sum_of_a_weight_gradient_to_fill_rounds) {
  for (const int multiprocessors : {114, 132, 144}) {
    for (const auto& [out, in, positions] : {std::tuple<int64_t, int64_t, int64_t>{128, 128, 131072},
                                             {256, 128, 131072},
                                             {512, 512, 32768},
                                             {512, 512, 8192}}) {
      const hopper::WeightPlan plan = hopper::plan_weight_product(out, in, positions / 32, 32, multiprocessors);
      EXPECT_EQ(plan.tiles, out / 128 * in / 128 * 3);
      EXPECT_EQ(plan.pieces, (positions / 32 + plan.chunks_of_piece - 1) / plan.chunks_of_piece);
      const int64_t units = plan.tiles * plan.pieces, rounds = (units + multiprocessors - 1) / multiprocessors;
      EXPECT_GE(static_cast<double>(units) / static_cast<double>(rounds * multiprocessors), 0.7)
          << out << " from " << in << " on " << multiprocessors;
    }
  }
  const hopper::WeightPlan small = hopper::plan_weight_product(8, 8, 3, 32, 132);
  EXPECT_EQ(small.pieces, 1);
  EXPECT_EQ(small.chunks_of_piece, 3);
}

}  // namespace layerwise::test
