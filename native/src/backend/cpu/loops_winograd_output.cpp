// Winograd's transforms of products back to maps, with the steps that follow a convolution. Compiled once
// per vector extension; see winograd_loops.h for the matrices.
#include "backend/cpu/loops.h"
#include "backend/cpu/loops_vector_type.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

/// Aᵀ applied to four values.
template <class V>
inline __attribute__((always_inline)) void contract_four(V m0, V m1, V m2, V m3, V& y0, V& y1) {
  const V sum = m1 + m2, difference = m1 - m2;
  y0 = m0 + sum, y1 = difference - m3;
}

/// The four outputs of a tile in row order: Aᵀ m A.
template <class V>
struct Tile {
  V y[4];

  inline __attribute__((always_inline)) Tile(const float* m, int64_t plane_stride) {
    V upper[4], lower[4];
    for (int64_t b = 0; b < 4; ++b) {
      const auto at = [&](int64_t a) { return load<V>(m + (4 * a + b) * plane_stride); };
      contract_four(at(0), at(1), at(2), at(3), upper[b], lower[b]);
    }
    contract_four(upper[0], upper[1], upper[2], upper[3], y[0], y[1]);
    contract_four(lower[0], lower[1], lower[2], lower[3], y[2], y[3]);
  }
};

/// Where a tile's outputs lie in the map, and which of them do.
struct Place {
  int64_t row, column;  // of the first output
  int64_t offset[4];    // elements from the map's begin
  bool lower, right;

  bool has(int64_t i) const { return (i < 2 || lower) && (i % 2 == 0 || right); }
  bool whole() const { return lower && right; }
};

/// Calls body(place, m) for each tile, m being its row of the planes.
template <class A, class Body>
inline void for_tiles(const TilePlanes<const float>& planes, TileRows rows, const FeatureMap<A>& map,
                      const Body& body) {
  const int64_t tile_columns = (map.width + 1) / 2, row_elements = map.width * map.channels;
  const float* m = planes.data;
  for (int64_t r = rows.first; r < rows.first + rows.count; ++r)
    for (int64_t column = 0; column < tile_columns; ++column, m += planes.row_stride) {
      const int64_t first = 2 * r * row_elements + 2 * column * map.channels;
      body(Place{2 * r,
                 2 * column,
                 {first, first + map.channels, first + row_elements, first + row_elements + map.channels},
                 2 * r + 1 < map.height,
                 2 * column + 1 < map.width},
           m);
    }
}

/// center = the mean of the first tile's outputs: for equal values, exactly that value.
template <bool whole, class V>
inline __attribute__((always_inline)) void start_sums(const Tile<V>& tile, const Place& place, int64_t c,
                                                      const CenteredSums& sums) {
  V total = V{};
  float count = 0;
  for (int64_t i = 0; i < 4; ++i)
    if (whole || place.has(i)) total += tile.y[i], count += 1;
  store(sums.center + c, total * (1 / count));
  store(sums.sum + c, V{});
  store(sums.squares + c, V{});
}

template <bool whole, class V>
inline __attribute__((always_inline)) void add_to_sums(const Tile<V>& tile, const Place& place, int64_t c,
                                                       const CenteredSums& sums) {
  const V center = load<V>(sums.center + c);
  V sum = V{}, squares = V{};
  for (int64_t i = 0; i < 4; ++i)
    if (whole || place.has(i)) {
      const V d = tile.y[i] - center;
      sum += d;
      squares += d * d;
    }
  store(sums.sum + c, load<V>(sums.sum + c) + sum);
  store(sums.squares + c, load<V>(sums.squares + c) + squares);
}

template <bool whole, bool biased, bool summed, class A>
inline void output_tile(const Place& place, const float* m, int64_t plane_stride, int64_t first_channel,
                        int64_t channels, const float* bias, A* y, const CenteredSums& sums, bool first) {
  for_channels(first_channel, first_channel + channels, [&](auto lane, int64_t c) {
    using V = decltype(lane);
    Tile<V> tile(m + c - first_channel, plane_stride);
    if (biased)
      for (V& value : tile.y) value += load<V>(bias + c);
    for (int64_t i = 0; i < 4; ++i)
      if (whole || place.has(i)) store(y + place.offset[i] + c, tile.y[i]);
    if (!summed) return;
    if (first) start_sums<whole>(tile, place, c, sums);
    add_to_sums<whole>(tile, place, c, sums);
  });
}

template <bool biased, bool summed, class A>
void output_tiles_as(const TilePlanes<const float>& planes, TileRows rows, int64_t first_channel, int64_t channels,
                     const float* bias, const FeatureMap<A>& y, const CenteredSums& sums) {
  bool first = true;
  for_tiles(planes, rows, y, [&](const Place& place, const float* m) {
    const auto tile = place.whole() ? output_tile<true, biased, summed, A> : output_tile<false, biased, summed, A>;
    tile(place, m, planes.plane_stride, first_channel, channels, bias, y.data, sums, first);
    first = false;
  });
}

template <class A>
void output_tiles(const TilePlanes<const float>& planes, TileRows rows, int64_t first_channel, int64_t channels,
                  const float* bias, const FeatureMap<A>& y, const CenteredSums& sums) {
  const bool summed = sums.center != nullptr;
  const auto loop = bias != nullptr ? (summed ? output_tiles_as<true, true, A> : output_tiles_as<true, false, A>)
                                    : (summed ? output_tiles_as<false, true, A> : output_tiles_as<false, false, A>);
  loop(planes, rows, first_channel, channels, bias, y, sums);
}

/// d_output times factor to the first maximum of the tile's h, in row order.
template <class V>
inline __attribute__((always_inline)) void max_unpool(Tile<V>& g, const V* h, V d) {
  const V of_two = h[1] > h[0] ? h[1] : h[0];
  const V of_three = h[2] > of_two ? h[2] : of_two;
  const V zero = V{};
  // Selections instead of branches: each position, the last one first, takes d or leaves it.
  g.y[3] += h[3] > of_three ? d : zero;
  d = h[3] > of_three ? zero : d;
  g.y[2] += h[2] > of_two ? d : zero;
  d = h[2] > of_two ? zero : d;
  g.y[1] += h[1] > h[0] ? d : zero;
  g.y[0] += h[1] > h[0] ? zero : d;
}

template <class A>
class HiddenTile {
 public:
  HiddenTile(const HiddenTiles<A>& of, const Place& place, const FeatureMap<A>& map) : of_(of), place_(place) {
    const float area = static_cast<float>(of.kernel_height * of.kernel_width);
    weight_ = 1 / area;
    for (int64_t i = 0; i < 4; ++i) pooled_[i] = of.d_pooled != nullptr && place.has(i) ? pooled(i, map) : nullptr;
    if (of.d_output != nullptr && of.max_pool && place.whole())
      window_ = of.d_output + (place.row / 2 * (map.width / 2) + place.column / 2) * map.channels;
  }

  template <class V>
  inline __attribute__((always_inline)) void run(Tile<V> g, int64_t c) const {
    V h[4];
    for (int64_t i = 0; i < 4; ++i) h[i] = place_.has(i) ? at<V>(of_.h, i, c) : V{};
    for (int64_t i = 0; i < 4; ++i)
      if (pooled_[i] != nullptr) g.y[i] += weight_ * load<V>(pooled_[i] + c);
    if (of_.d_h != nullptr)
      for (int64_t i = 0; i < 4; ++i)
        if (place_.has(i)) g.y[i] += at<V>(of_.d_h, i, c);
    if (window_ != nullptr) max_unpool(g, h, scaled<V>(load<V>(window_ + c), c));
    if (of_.d_output != nullptr && !of_.max_pool)
      for (int64_t i = 0; i < 4; ++i)
        if (place_.has(i)) g.y[i] += scaled<V>(at<V>(of_.d_output, i, c), c);
    activate(g, h, c);
  }

 private:
  template <class V>
  V at(const A* map, int64_t i, int64_t c) const {
    return load<V>(map + place_.offset[i] + c);
  }
  template <class V>
  V scaled(V d, int64_t c) const {
    return of_.factor == nullptr ? d : d * load<V>(of_.factor + c);
  }

  /// The window in which output i lies; null where it lies behind the last one.
  const A* pooled(int64_t i, const FeatureMap<A>& map) const {
    const int64_t row = (place_.row + i / 2 + of_.padding_height) / of_.kernel_height;
    const int64_t column = (place_.column + i % 2 + of_.padding_width) / of_.kernel_width;
    if (row >= of_.window_rows || column >= of_.window_columns) return nullptr;
    return of_.d_pooled + (row * of_.window_columns + column) * map.channels;
  }

  template <class V>
  inline __attribute__((always_inline)) void activate(Tile<V>& g, const V* h, int64_t c) const {
    V sum_g = V{}, sum_gy = V{};
    for (int64_t i = 0; i < 4; ++i) {
      if (!place_.has(i)) continue;
      g.y[i] = h[i] > 0 ? g.y[i] : of_.negative_slope * g.y[i];
      store(of_.g + place_.offset[i] + c, g.y[i]);
      if (of_.y == nullptr) continue;
      sum_g += g.y[i];
      sum_gy += g.y[i] * (at<V>(of_.y, i, c) - load<V>(of_.mean + c));
    }
    if (of_.y == nullptr) return;
    store(of_.sum_g + c, load<V>(of_.sum_g + c) + sum_g);
    store(of_.sum_gy + c, load<V>(of_.sum_gy + c) + sum_gy);
  }

  const HiddenTiles<A>& of_;
  const Place& place_;
  float weight_;
  const A* pooled_[4];
  const A* window_ = nullptr;
};

template <class A>
void hidden_tiles(const TilePlanes<const float>& planes, TileRows rows, int64_t first_channel, int64_t channels,
                  const FeatureMap<A>& map, const HiddenTiles<A>& tiles) {
  for_tiles(planes, rows, map, [&](const Place& place, const float* m) {
    const HiddenTile<A> hidden(tiles, place, map);
    for_channels(first_channel, first_channel + channels, [&](auto lane, int64_t c) {
      using V = decltype(lane);
      hidden.run(Tile<V>(m + c - first_channel, planes.plane_stride), c);
    });
  });
}

template <class A>
void set_output_loops(WinogradOutputLoops<A>& loops) {
  loops.output_tiles = output_tiles<A>;
  loops.hidden_tiles = hidden_tiles<A>;
}

}  // namespace

void set_winograd_output_loops(Loops& loops) {
  set_output_loops(loops.winograd_float32_outputs);
  set_output_loops(loops.winograd_bfloat16_outputs);
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
