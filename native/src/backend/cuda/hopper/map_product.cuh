// C[position, n] = Σ over channels c and taps of A[position shifted by the tap, c] · B[tap, c, n]: forward convolution, where
// B is the weights, and data gradient, where A is d_y and B the weights seen from the other side, with mirrored taps.
//
// Threads: 384. Two warps bring A, two bring B, each in steps of 32 channels; two warpgroups multiply, with `parts` times
// 64×128 of C each (pipeline.cuh). Blocks stay and take one tile of C after another. Neighbours work on the same few rows of
// tiles at a time, so that they find each other's A and B in the L2 cache.
// Shared memory: A in planes of the staged positions (map_tiles.h), B in planes too, and 64×128 sums for each warpgroup's
// epilogue, which so overlaps with the next tile's copies.
//
// FLOPs: 2 · positions · N · C · 9. Read through L2 for each tile of 256×128 and 32 channels: 21 KB of A, in regions, for 9 taps,
// and 9 · 8 KB of B: 200 FLOP a byte. Products read shared memory at 96 of 128 bytes a cycle.
#pragma once

#include "backend/cuda/hopper/map_tiles.h"
#include "backend/cuda/hopper/pipeline.cuh"

namespace layerwise::cuda {

/// One kind of it. `inner_b`: of a tap's weights, depth for (n, tap, c) in memory and extent for (c, tap, n).
template <Inner inner_b_, int parts_, class Epilogue_>
struct MapProduct {
  using Epilogue = Epilogue_;
  static constexpr Inner inner_b = inner_b_;
  static constexpr int parts = parts_;  // of a warpgroup, 64 rows each
  static constexpr int rows = multiplying_warpgroups * parts * product_rows;
  static constexpr int depth = 32, planes_of_map = depth / plane_width;
  static constexpr bool mirrored = inner_b == Inner::extent;
  using Registers = RegisterShares<72, 216>;  // 128 sums at most

  // B: planes of eight channels with a place for each column, or of eight columns with a place for each channel.
  static constexpr int weight_planes = (inner_b == Inner::depth ? depth : product_columns) / plane_width;
  static constexpr int weight_places = inner_b == Inner::depth ? product_columns : depth;
  static constexpr int weight_plane_bytes = plane_length(weight_places, weight_planes) * place_bytes;
  static constexpr int weight_bytes = weight_planes * weight_plane_bytes;

  static constexpr int staging_bytes = StagedTile::accumulator_bytes;  // of a warpgroup
  static constexpr int weight_slots = 8, most_map_slots = 8;
  static constexpr int weights_ahead = 2, maps_ahead = 1;
  static constexpr int map_room = 92 << 10;  // for all slots of A
  static constexpr int shared_bytes = map_room + weight_slots * weight_bytes + multiplying_warpgroups * staging_bytes;
  static_assert(shared_bytes + 1024 <= 227 << 10, "a block has no more");

  struct Arguments {
    MapTiles tiles;
    const Bfloat16* map;      // (positions, channels)
    const Bfloat16* weights;
    int channels, columns;    // multiples of 8
    int map_slots, map_plane_bytes;
    int row_tiles, column_tiles, band;  // of C; tiles in `band` rows of them follow each other
    Epilogue epilogue;

    __device__ __forceinline__ int all_tiles() const { return row_tiles * column_tiles; }
    __device__ __forceinline__ void locate(int tile, int& row_tile, int& column_tile) const {
      const int first = tile / (band * column_tiles) * band, rest = tile - first * column_tiles;
      const int band_rows = min(band, row_tiles - first);
      column_tile = rest / band_rows;
      row_tile = first + rest % band_rows;
    }
    /// Times that positions are staged for a tile.
    __device__ __forceinline__ int stages() const {
      return (channels + depth - 1) / depth * (all_taps / tiles.taps_of_staged());
    }
  };
};

/// 32 channels of the staged positions, by 64 threads: four of them side by side have a position's.
template <class Product>
__device__ __forceinline__ void fill_maps(const typename Product::Arguments& a, const Ring& ring, unsigned char* slots) {
  const int thread = static_cast<int>(threadIdx.x) % 64, plane = thread % Product::planes_of_map;
  constexpr int places_at_once = 64 / Product::planes_of_map;
  const int positions = a.tiles.staged_positions(), taps_apart = all_taps / a.tiles.taps_of_staged();
  Filling<Product::maps_ahead> filling(ring);
  for (int tile = static_cast<int>(blockIdx.x); tile < a.all_tiles(); tile += static_cast<int>(gridDim.x)) {
    int row_tile, column_tile;
    a.locate(tile, row_tile, column_tile);
    for (int first = 0; first < a.channels; first += Product::depth) {
      const int channel = first + plane * plane_width;
      for (int tap = 0; tap < taps_apart; ++tap) {
        const int met = Product::mirrored ? all_taps - 1 - tap : tap;
        filling.fill([&](int slot) {
          unsigned char* const to =
              slots + (slot * Product::planes_of_map + plane) * a.map_plane_bytes;
          for (int place = thread / Product::planes_of_map; place < positions; place += places_at_once) {
            const int position = a.tiles.position_at(row_tile, place, met);
            const bool is_there = position >= 0 && channel < a.channels;
            const int64_t at = is_there ? static_cast<int64_t>(position) * a.channels + channel : 0;
            copy_async_16(to + place * place_bytes, a.map + at, is_there);
          }
        });
      }
    }
  }
  filling.finish();
}

/// 32 channels and 128 columns of a tap's weights, by 64 threads: those side by side have what follows itself in memory.
template <class Product>
__device__ __forceinline__ void fill_weights(const typename Product::Arguments& a, const Ring& ring,
                                             unsigned char* slots) {
  constexpr bool by_column = Product::inner_b == Inner::depth;
  const int thread = static_cast<int>(threadIdx.x) % 64, plane = thread % Product::weight_planes;
  constexpr int places_at_once = 64 / Product::weight_planes;
  Filling<Product::weights_ahead> filling(ring);
  for (int tile = static_cast<int>(blockIdx.x); tile < a.all_tiles(); tile += static_cast<int>(gridDim.x)) {
    int row_tile, column_tile;
    a.locate(tile, row_tile, column_tile);
    const int first_column = column_tile * product_columns;
    for (int first = 0; first < a.channels; first += Product::depth) {
      const int channel = first + (by_column ? plane * plane_width : 0);
      const int column = first_column + (by_column ? 0 : plane * plane_width);
      for (int tap = 0; tap < all_taps; ++tap) {
        filling.fill([&](int slot) {
          unsigned char* const to = slots + slot * Product::weight_bytes + plane * Product::weight_plane_bytes;
          LAYERWISE_UNROLL
          for (int i = 0; i < Product::weight_places / places_at_once; ++i) {
            const int place = thread / Product::weight_planes + i * places_at_once;
            const int c = channel + (by_column ? 0 : place), n = column + (by_column ? place : 0);
            const bool is_there = c < a.channels && n < a.columns;
            const int64_t at = by_column ? (static_cast<int64_t>(n) * all_taps + tap) * a.channels + c
                                         : (static_cast<int64_t>(c) * all_taps + tap) * a.columns + n;
            copy_async_16(to + place * place_bytes, a.weights + (is_there ? at : 0), is_there);
          }
        });
      }
    }
  }
  filling.finish();
}

/// One of the two warpgroups that multiply.
template <class Product>
__device__ __forceinline__ void multiply_maps(const typename Product::Arguments& a, const Ring& map_ring,
                                              const unsigned char* map_slots, const Ring& weight_ring,
                                              const unsigned char* weight_slots, float* staging) {
  constexpr int parts = Product::parts;
  const int first_patch = (static_cast<int>(threadIdx.x) / warpgroup_threads - 1) * parts;
  const int taps = a.tiles.taps_of_staged();
  const uint64_t all_maps =
      matrix_descriptor(map_slots, a.map_plane_bytes, a.tiles.places_between_lines() * place_bytes);
  constexpr int eight_places = 8 * place_bytes;
  const uint64_t all_weights = Product::inner_b == Inner::depth
                                   ? matrix_descriptor(weight_slots, Product::weight_plane_bytes, eight_places)
                                   : matrix_descriptor(weight_slots, eight_places, Product::weight_plane_bytes);
  constexpr int weights_to_next = Product::inner_b == Inner::depth ? 2 * Product::weight_plane_bytes : 2 * eight_places;
  int place_of_part[parts];
  LAYERWISE_UNROLL
  for (int part = 0; part < parts; ++part) place_of_part[part] = a.tiles.place_of_patch(first_patch + part);

  Reading maps(map_ring), weights(weight_ring);
  for (int tile = static_cast<int>(blockIdx.x); tile < a.all_tiles(); tile += static_cast<int>(gridDim.x)) {
    float sums[parts][product_sums] = {};
    bool adds = false;
    for (int stage = 0; stage < a.stages(); ++stage) {
      const uint64_t map = moved(all_maps, maps.take() * Product::planes_of_map * a.map_plane_bytes);
      for (int tap = 0; tap < taps; ++tap) {
        const uint64_t shifted = moved(map, a.tiles.places_to_tap(Product::mirrored ? all_taps - 1 - tap : tap) * place_bytes);
        const uint64_t of_tap = moved(all_weights, weights.take() * Product::weight_bytes);
        warpgroup_fence();
        LAYERWISE_UNROLL
        for (int k = 0; k < Product::depth / product_depth; ++k) {
          LAYERWISE_UNROLL
          for (int part = 0; part < parts; ++part)
            multiply<Inner::depth, Product::inner_b>(
                sums[part], moved(shifted, 2 * k * a.map_plane_bytes + place_of_part[part] * place_bytes),
                moved(of_tap, k * weights_to_next), adds || k > 0);
        }
        adds = true;
        commit_products();
        wait_products<1>();
        weights.give_back();
        weights.hold();
        if (tap == 0) maps.give_back();
      }
      maps.hold();
    }
    finish_products(sums);
    weights.give_back();
    maps.give_back();

    int row_tile, column_tile;
    a.locate(tile, row_tile, column_tile);
    LAYERWISE_UNROLL
    for (int part = 0; part < parts; ++part)
      finish_staged(sums[part], staging, [&](const float* staged) {
        a.epilogue.template finish<StagedTile, true>(staged, row_tile * Product::rows + (first_patch + part) * product_rows,
                                                     column_tile * product_columns, 0);
      });
  }
}

template <class Product>
__global__ void __launch_bounds__(hopper_threads, 1) hopper_map_product_kernel(typename Product::Arguments a) {
  begin_kernel();
#ifdef LAYERWISE_HAS_WARPGROUPS
  LAYERWISE_SHARED(uint64_t, barriers, [2 * (Product::most_map_slots + Product::weight_slots)]);
  LAYERWISE_DYNAMIC_SHARED(unsigned char, map_slots);
  unsigned char* const weight_slots = map_slots + Product::map_room;
  const Ring maps(barriers, a.map_slots), weights(barriers + 2 * Product::most_map_slots, Product::weight_slots);
  constexpr int filling_warps = 2;  // of each
  if (threadIdx.x == 0) {
    maps.begin(filling_warps);
    weights.begin(filling_warps);
    fence_barrier_init();
  }
  __syncthreads();
  const int warp = static_cast<int>(threadIdx.x) / 32, warpgroup = static_cast<int>(threadIdx.x) / warpgroup_threads;
  if (warpgroup == 0) {
    release_registers<Product::Registers::filling>();
    if (warp < filling_warps)
      fill_maps<Product>(a, maps, map_slots);
    else
      fill_weights<Product>(a, weights, weight_slots);
  } else {
    claim_registers<Product::Registers::multiplying>();
    unsigned char* const staging =
        weight_slots + Product::weight_slots * Product::weight_bytes + (warpgroup - 1) * Product::staging_bytes;
    multiply_maps<Product>(a, maps, map_slots, weights, weight_slots, reinterpret_cast<float*>(staging));
  }
#endif
}

}  // namespace layerwise::cuda
