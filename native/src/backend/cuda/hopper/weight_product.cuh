// C[o, tap, i] = Σ over positions of d_y[position, o] · x[position shifted by the tap, i]: the gradient of a convolution's
// weights.
//
// Threads: 384. A warpgroup brings both operands, a chunk of positions at a time; two warpgroups multiply, with 64 of 128 o
// each and 128 i for the three taps of one kernel row: 3·64×128 of C each (pipeline.cuh). Blocks take one piece of the sum
// after another, of one tile after another; pieces are added up in a fixed order afterwards (sums.cu).
// Shared memory: d_y in planes of eight o, x in planes of eight i. Where a map is 8, 16 or 32 positions wide, lines of x have a
// border of one position and serve the three taps; otherwise each tap has its own copy.
//
// FLOPs: 2 · O · 9 · I · positions. Read through L2 for each 32 positions of a tile: 8 KB of d_y and 9 to 10 KB of x, 170 to
// 186 FLOP a byte; with copies for each tap 96. Products read shared memory at 96 of 128 bytes a cycle.
#pragma once

#include "backend/cuda/hopper/map_tiles.h"
#include "backend/cuda/hopper/pipeline.cuh"

namespace layerwise::cuda {

/// How positions come into shared memory: whole lines with a border, or tap by tap.
class LineChunks {
 public:
  LineChunks() = default;
  explicit LineChunks(const Shape& map) {
    height_ = static_cast<int>(map.h);
    width_ = static_cast<int>(map.w);
    rows_ = static_cast<int>(map.n * map.positions());
    area_ = Divisor(map.positions());
    row_width_ = Divisor(map.w);
    in_lines_ = map.w % 8 == 0 && positions % map.w == 0;
    staged_width_ = Divisor(map.w + 2);
  }

  static constexpr int positions = 32;  // of a chunk

  LAYERWISE_HOST_DEVICE bool in_lines() const { return in_lines_; }
  LAYERWISE_HOST_DEVICE int rows() const { return rows_; }
  LAYERWISE_HOST_DEVICE int chunks() const { return (rows_ + positions - 1) / positions; }
  /// Of x, for a chunk.
  LAYERWISE_HOST_DEVICE int staged_places() const {
    return in_lines_ ? row_width_.quotient(positions) * staged_width_.divisor() : taps_across * positions;
  }
  /// The place of position `first`, a multiple of 16, of a chunk, for the first tap of a kernel row; what the tap number
  /// `tap` (0 … 2) adds; and from there to the place eight positions further on.
  LAYERWISE_HOST_DEVICE int place_of(int first) const {
    if (!in_lines_) return first;
    int column;
    const int line = row_width_.quotient(first, column);
    return line * staged_width_.divisor() + column;
  }
  LAYERWISE_HOST_DEVICE int places_to_tap(int tap) const { return in_lines_ ? tap : tap * positions; }
  LAYERWISE_HOST_DEVICE int places_to_next_eight() const {
    return in_lines_ && width_ == 8 ? staged_width_.divisor() : 8;
  }

  /// The position of x at a place of a chunk, for a kernel row (0 … 2), or below 0 where there is none.
  LAYERWISE_HOST_DEVICE int position_at(int chunk, int place, int kernel_row) const {
    int n, h, w;
    if (in_lines_) {
      const int first = row_width_.quotient(chunk * positions);
      const int line = first + staged_width_.quotient(place, w);
      if (line * width_ >= rows_) return -1;
      n = area_.quotient(line * width_);
      h = line - n * height_;
      w -= 1;
    } else {
      const int tap = place / positions, row = chunk * positions + place % positions;
      if (row >= rows_) return -1;
      int inside;
      n = area_.quotient(row, inside);
      h = row_width_.quotient(inside, w);
      w += tap - 1;
    }
    h += kernel_row - 1;
    if (h < 0 || w < 0 || h >= height_ || w >= width_) return -1;
    return (n * height_ + h) * width_ + w;
  }

 private:
  bool in_lines_ = false;
  int height_ = 0, width_ = 0, rows_ = 0;
  Divisor area_, row_width_, staged_width_;
};

struct WeightProduct {
  static constexpr int rows = multiplying_warpgroups * product_rows, columns = product_columns;  // of o, of i
  static constexpr int parts = taps_across;
  using Registers = RegisterShares<40, 232>;  // 192 sums
  static constexpr int planes = rows / plane_width;  // of either operand
  static_assert(rows == columns, "both operands have as many planes");
  static constexpr int gradient_plane_bytes = plane_length(LineChunks::positions, planes) * place_bytes;
  static constexpr int most_slots = 8, ahead = 2;
  static constexpr int staging_bytes = StagedTile::accumulator_bytes;  // of a warpgroup
  static constexpr int room = 157 << 10;  // for all slots
  static constexpr int shared_bytes = room + multiplying_warpgroups * staging_bytes;
  static_assert(shared_bytes + 1024 <= 227 << 10, "a block has no more");

  struct Arguments {
    LineChunks chunks;
    const Bfloat16* map;       // x: (positions, in_channels)
    const Bfloat16* gradient;  // d_y: (positions, out_channels)
    int in_channels, out_channels;  // multiples of 8
    int in_tiles, tiles;            // tiles: out, kernel rows and in, the last one in turn first
    int pieces, chunks_of_piece;
    int slots, slot_bytes, map_plane_bytes;
    float* output;  // (pieces, O, 9, I)

    struct Unit {
      int piece, first_out, kernel_row, first_in;
      int begin, end;  // chunks
    };
    /// The tiles of a piece follow each other, so that blocks that work at the same time read the same positions.
    __device__ __forceinline__ Unit unit(int number) const {
      const int piece = number / tiles, tile = number % tiles, rest = tile / in_tiles;
      const int begin = piece * chunks_of_piece;
      return {piece, rest / taps_across * rows, rest % taps_across, tile % in_tiles * columns,
              begin, min(begin + chunks_of_piece, chunks.chunks())};
    }
  };
};

/// Both operands' chunks, by the 128 threads of a warpgroup: 16 side by side have a position's channels.
__device__ __forceinline__ void fill_chunks(const WeightProduct::Arguments& a, const Ring& ring, unsigned char* slots) {
  constexpr int planes = WeightProduct::planes, places_at_once = warpgroup_threads / planes;
  const int plane = static_cast<int>(threadIdx.x) % planes, first_place = static_cast<int>(threadIdx.x) / planes;
  const int places = a.chunks.staged_places();
  Filling<WeightProduct::ahead> filling(ring);
  for (int number = static_cast<int>(blockIdx.x); number < a.tiles * a.pieces; number += static_cast<int>(gridDim.x)) {
    const WeightProduct::Arguments::Unit unit = a.unit(number);
    const int out = unit.first_out + plane * plane_width, in = unit.first_in + plane * plane_width;
    for (int chunk = unit.begin; chunk < unit.end; ++chunk) {
      filling.fill([&](int slot) {
        unsigned char* const gradients = slots + slot * a.slot_bytes + plane * WeightProduct::gradient_plane_bytes;
        unsigned char* const maps = slots + slot * a.slot_bytes + planes * WeightProduct::gradient_plane_bytes +
                                    plane * a.map_plane_bytes;
        LAYERWISE_UNROLL
        for (int place = first_place; place < LineChunks::positions; place += places_at_once) {
          const int row = chunk * LineChunks::positions + place;
          const bool is_there = row < a.chunks.rows() && out < a.out_channels;
          const int64_t at = is_there ? static_cast<int64_t>(row) * a.out_channels + out : 0;
          copy_async_16(gradients + place * place_bytes, a.gradient + at, is_there);
        }
        for (int place = first_place; place < places; place += places_at_once) {
          const int position = a.chunks.position_at(chunk, place, unit.kernel_row);
          const bool is_there = position >= 0 && in < a.in_channels;
          const int64_t at = is_there ? static_cast<int64_t>(position) * a.in_channels + in : 0;
          copy_async_16(maps + place * place_bytes, a.map + at, is_there);
        }
      });
    }
  }
  filling.finish();
}

/// A tap's part of a tile of C → float32.
__device__ __forceinline__ void store_tap(const WeightProduct::Arguments& a, const WeightProduct::Arguments::Unit& unit,
                                          const float* staged, int first_out, int tap) {
  const WarpColumns<StagedTile> mine(staged, first_out, unit.first_in);
  if (mine.column >= a.in_channels) return;
  const int end = min(mine.row + WarpColumns<StagedTile>::rows, a.out_channels);
  for (int row = mine.first_row(mine.row); row < end; row += WarpColumns<StagedTile>::lanes_down) {
    float values[4];
    mine.load(row, values);
    const int64_t weight = (static_cast<int64_t>(unit.piece) * a.out_channels + row) * all_taps +
                           unit.kernel_row * taps_across + tap;
    store_four(a.output + weight * a.in_channels + mine.column, values);
  }
}

/// One of the two warpgroups that multiply.
__device__ __forceinline__ void multiply_chunks(const WeightProduct::Arguments& a, const Ring& ring,
                                                const unsigned char* slots, float* staging) {
  constexpr int parts = WeightProduct::parts, planes = WeightProduct::planes;
  const int half = static_cast<int>(threadIdx.x) / warpgroup_threads - 1;  // of the rows
  const uint64_t all_gradients = matrix_descriptor(slots + half * (planes / 2) * WeightProduct::gradient_plane_bytes,
                                                   8 * place_bytes, WeightProduct::gradient_plane_bytes);
  const uint64_t all_maps = matrix_descriptor(slots + planes * WeightProduct::gradient_plane_bytes,
                                              a.chunks.places_to_next_eight() * place_bytes, a.map_plane_bytes);
  Reading chunks(ring);
  for (int number = static_cast<int>(blockIdx.x); number < a.tiles * a.pieces; number += static_cast<int>(gridDim.x)) {
    const WeightProduct::Arguments::Unit unit = a.unit(number);
    float sums[parts][product_sums] = {};
    bool adds = false;
    for (int chunk = unit.begin; chunk < unit.end; ++chunk) {
      const int begin = chunks.take() * a.slot_bytes;
      warpgroup_fence();
      LAYERWISE_UNROLL
      for (int step = 0; step < LineChunks::positions / product_depth; ++step) {
        const uint64_t gradient = moved(all_gradients, begin + step * product_depth * place_bytes);
        const uint64_t map = moved(all_maps, begin + a.chunks.place_of(step * product_depth) * place_bytes);
        LAYERWISE_UNROLL
        for (int part = 0; part < parts; ++part)
          multiply<Inner::extent, Inner::extent>(sums[part], gradient,
                                                 moved(map, a.chunks.places_to_tap(part) * place_bytes),
                                                 adds || step > 0);
      }
      adds = true;
      commit_products();
      wait_products<1>();
      chunks.give_back();
      chunks.hold();
    }
    finish_products(sums);
    chunks.give_back();
    LAYERWISE_UNROLL
    for (int part = 0; part < parts; ++part)
      finish_staged(sums[part], staging, [&](const float* staged) {
        store_tap(a, unit, staged, unit.first_out + half * product_rows, part);
      });
  }
}

}  // namespace layerwise::cuda
