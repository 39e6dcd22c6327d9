// How the positions of a map become rows of C, and what of the map a block puts into shared memory for them, for 3×3
// convolutions of stride 1 and padding 1.
//
// In regions: a block's rows are one to four regions of the map, of 8 or 16 by 8 or 16 positions, in patches of 8×8 whose
// rows follow each other: 64 rows of C, the A of one product. A region is put into shared memory once, with a border of one
// position, and serves all nine taps. There a patch's eight lines of eight positions are eight core matrices the same distance
// apart, wherever a tap shifts them.
// Apart: where the map's sides are no multiples of 8. Rows are positions in order, and each tap has its own copy of them.
#pragma once

#include <cstdint>

#include "backend/cuda/divisor.h"
#include "backend/cuda/operand_sources.cuh"
#include "core/tensor.h"

namespace layerwise::cuda {

constexpr int taps_across = 3, all_taps = 9;

class MapTiles {
 public:
  MapTiles() = default;
  /// For tiles of `tile_rows` rows, 128 or 256.
  MapTiles(const Shape& map, int tile_rows) : tile_rows_(tile_rows) {
    height_ = static_cast<int>(map.h);
    width_ = static_cast<int>(map.w);
    rows_ = static_cast<int>(map.n * map.positions());
    area_ = Divisor(map.positions());
    row_width_ = Divisor(map.w);
    in_regions_ = map.h % 8 == 0 && map.w % 8 == 0;
    if (!in_regions_) return;
    region_width_ = map.w % 16 == 0 ? 16 : 8;
    region_height_ = map.h % 16 == 0 && region_width_ * 16 <= tile_rows ? 16 : 8;
    wide_ = region_width_ / 16;
    region_bits_ = 6 + wide_ + region_height_ / 16;
    regions_across_ = Divisor(map.w / region_width_);
    regions_down_ = Divisor(map.h / region_height_);
    staged_width_ = Divisor(region_width_ + 2);
    staged_area_ = Divisor((region_width_ + 2) * (region_height_ + 2));
  }

  LAYERWISE_HOST_DEVICE bool in_regions() const { return in_regions_; }
  LAYERWISE_HOST_DEVICE int rows() const { return rows_; }
  LAYERWISE_HOST_DEVICE int tile_rows() const { return tile_rows_; }

  /// Positions of the map that are put into shared memory at a time.
  LAYERWISE_HOST_DEVICE int staged_positions() const {
    return in_regions_ ? (tile_rows_ >> region_bits_) * staged_area_.divisor() : tile_rows_;
  }
  LAYERWISE_HOST_DEVICE int taps_of_staged() const { return in_regions_ ? all_taps : 1; }

  /// Where the first row of a tile's patch (64 rows) is among the staged positions, for the first tap.
  LAYERWISE_HOST_DEVICE int place_of_patch(int patch) const {
    if (!in_regions_) return patch * 64;
    const int row = patch * 64;
    return (row >> region_bits_) * staged_area_.divisor() + line_in_region(row) * staged_width_.divisor() +
           column_in_region(row);
  }
  /// From the place of eight rows to that of the next eight of a patch.
  LAYERWISE_HOST_DEVICE int places_between_lines() const { return in_regions_ ? staged_width_.divisor() : 8; }
  /// What a tap (0 … 8) adds to places.
  LAYERWISE_HOST_DEVICE int places_to_tap(int tap) const {
    return in_regions_ ? tap / taps_across * staged_width_.divisor() + tap % taps_across : 0;
  }

  /// The position of the map that is staged at a place, or below 0 where there is none: outside, what a tap meets is 0. `tap`
  /// matters where taps are apart.
  LAYERWISE_HOST_DEVICE int position_at(int tile, int place, int tap) const {
    int n, h, w;
    if (in_regions_) {
      int inside, column, right, down;
      const int region = (tile * tile_rows_ >> region_bits_) + staged_area_.quotient(place, inside);
      const int line = staged_width_.quotient(inside, column);
      if (region << region_bits_ >= rows_) return -1;
      n = regions_down_.quotient(regions_across_.quotient(region, right), down);
      h = down * region_height_ + line - 1;
      w = right * region_width_ + column - 1;
    } else {
      const int row = tile * tile_rows_ + place;
      if (row >= rows_) return -1;
      int inside;
      n = area_.quotient(row, inside);
      h = row_width_.quotient(inside, w) + tap / taps_across - 1;
      w += tap % taps_across - 1;
    }
    if (h < 0 || w < 0 || h >= height_ || w >= width_) return -1;
    return (n * height_ + h) * width_ + w;
  }

  /// The positions that the 64 rows of a patch are.
  class Patch {
   public:
    LAYERWISE_HOST_DEVICE Patch(int first, int line) : first_(first), line_(line) {}
    LAYERWISE_HOST_DEVICE int position(int row) const { return first_ + (row >> 3 & 7) * line_ + (row & 7); }

   private:
    int first_, line_;  // position of the first row; from eight rows to the next eight
  };

  /// `first_row` is a multiple of 64. The rows of a sample follow each other.
  LAYERWISE_HOST_DEVICE Patch from(int first_row) const {
    if (!in_regions_) return {first_row, 8};
    int right, down;
    const int n = regions_down_.quotient(regions_across_.quotient(first_row >> region_bits_, right), down);
    return {(n * height_ + down * region_height_ + line_in_region(first_row)) * width_ + right * region_width_ +
                column_in_region(first_row),
            width_};
  }

 private:
  // Of the first row of a patch.
  LAYERWISE_HOST_DEVICE int line_in_region(int row) const {
    return ((row & ((1 << region_bits_) - 1)) >> 6 >> wide_) * 8;
  }
  LAYERWISE_HOST_DEVICE int column_in_region(int row) const { return (row >> 6 & wide_) * 8; }

  bool in_regions_ = false;
  int tile_rows_ = 0, rows_ = 0, height_ = 0, width_ = 0;
  int region_height_ = 8, region_width_ = 8;
  int wide_ = 0;         // 1 for a region of two patches side by side
  int region_bits_ = 6;  // 2 to this power are the rows of a region
  Divisor regions_across_, regions_down_;  // of a sample's map
  Divisor staged_width_, staged_area_;     // of a region with its border
  Divisor area_, row_width_;               // of the map
};

}  // namespace layerwise::cuda
