// Winograd's transforms of inputs, gradients and weights. Compiled once per vector extension; see
// winograd_loops.h for the matrices.
#include "backend/cpu/loops.h"
#include "backend/cpu/loops_vector_type.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

// What a transform reads at element i of a map, channel c: V is Vector or float.

template <class A>
struct Plain {
  const A* map;
  template <class V>
  V read(int64_t i, int64_t) const {
    return load<V>(map + i);
  }
};

template <class A>
struct Affine {
  const A* map;
  ChannelAffine of;
  template <class V>
  V read(int64_t i, int64_t c) const {
    return load<V>(of.multiplier + c) * (load<V>(map + i) - load<V>(of.mean + c));
  }
};

template <class A>
struct BatchNorm {
  const A* g;
  BatchNormBackward<A> of;
  template <class V>
  V read(int64_t i, int64_t c) const {
    const V deviation = load<V>(of.y + i) - load<V>(of.mean + c);
    return load<V>(of.multiplier + c) * (load<V>(g + i) - load<V>(of.mean_g + c) - deviation * load<V>(of.slope + c));
  }
};

/// The rows or columns [begin, end) of a tile that lie inside the map.
struct Inside {
  int64_t begin, end;
  bool has(int64_t i) const { return begin <= i && i < end; }
};

Inside inside(int64_t first, int64_t size, int64_t extent) {
  return {first < 0 ? -first : 0, first + size > extent ? extent - first : size};
}

/// Bᵀ applied to four values, in place.
template <class V>
inline __attribute__((always_inline)) void transform_four(V& d0, V& d1, V& d2, V& d3) {
  const V t0 = d0 - d2, t1 = d1 + d2, t2 = d2 - d1, t3 = d1 - d3;
  d0 = t0, d1 = t1, d2 = t2, d3 = t3;
}

/// One tile whose top left element is `first` (possibly outside the map); whole: all of it lies inside.
template <bool whole, class P, class Source>
inline void input_tile(const Source& source, int64_t first, int64_t row_elements, int64_t channels, Inside rows,
                       Inside columns, P* __restrict out, int64_t plane_stride) {
  for_channels(0, channels, [&](auto lane, int64_t c) {
    using V = decltype(lane);
    V d[4][4];
    for (int64_t a = 0; a < 4; ++a)
      for (int64_t b = 0; b < 4; ++b)
        d[a][b] = whole || (rows.has(a) && columns.has(b))
                      ? source.template read<V>(first + a * row_elements + b * channels + c, c)
                      : V{};
    for (int64_t b = 0; b < 4; ++b) transform_four(d[0][b], d[1][b], d[2][b], d[3][b]);
    for (int64_t a = 0; a < 4; ++a) {
      transform_four(d[a][0], d[a][1], d[a][2], d[a][3]);
      for (int64_t b = 0; b < 4; ++b) store(out + (4 * a + b) * plane_stride + c, d[a][b]);
    }
  });
}

template <class A, class P, class Source>
void input_tiles_of(const Source& source, const FeatureMap<const A>& map, TileRows rows, const TilePlanes<P>& planes) {
  const int64_t tile_columns = (map.width + 1) / 2, row_elements = map.width * map.channels;
  P* out = planes.data;
  for (int64_t r = rows.first; r < rows.first + rows.count; ++r) {
    const Inside inside_rows = inside(2 * r - 1, 4, map.height);
    const bool whole_rows = inside_rows.begin == 0 && inside_rows.end == 4;
    for (int64_t column = 0; column < tile_columns; ++column, out += planes.row_stride) {
      const Inside inside_columns = inside(2 * column - 1, 4, map.width);
      const int64_t first = (2 * r - 1) * row_elements + (2 * column - 1) * map.channels;
      const bool whole = whole_rows && inside_columns.begin == 0 && inside_columns.end == 4;
      const auto tile = whole ? input_tile<true, P, Source> : input_tile<false, P, Source>;
      tile(source, first, row_elements, map.channels, inside_rows, inside_columns, out, planes.plane_stride);
    }
  }
}

template <class A, class P>
void input_tiles(const FeatureMap<const A>& map, const ChannelAffine& affine, TileRows rows,
                 const TilePlanes<P>& planes) {
  if (affine.multiplier == nullptr)
    input_tiles_of(Plain<A>{map.data}, map, rows, planes);
  else
    input_tiles_of(Affine<A>{map.data, affine}, map, rows, planes);
}

/// A applied to two values: the four of its column.
template <class V>
inline __attribute__((always_inline)) void expand_two(V d0, V d1, V* out) {
  out[0] = d0, out[1] = d0 + d1, out[2] = d0 - d1, out[3] = -d1;
}

template <class A, class P, class Source>
void gradient_tiles_of(const Source& source, const FeatureMap<const A>& map, TileRows rows,
                       const TilePlanes<P>& planes) {
  const int64_t tile_columns = (map.width + 1) / 2, row_elements = map.width * map.channels;
  P* out = planes.data;
  for (int64_t r = rows.first; r < rows.first + rows.count; ++r)
    for (int64_t column = 0; column < tile_columns; ++column, out += planes.row_stride) {
      const bool lower = 2 * r + 1 < map.height, right = 2 * column + 1 < map.width;
      const int64_t first = 2 * r * row_elements + 2 * column * map.channels;
      for_channels(0, map.channels, [&](auto lane, int64_t c) {
        using V = decltype(lane);
        const int64_t i = first + c;
        const V d00 = source.template read<V>(i, c);
        const V d01 = right ? source.template read<V>(i + map.channels, c) : V{};
        const V d10 = lower ? source.template read<V>(i + row_elements, c) : V{};
        const V d11 = lower && right ? source.template read<V>(i + row_elements + map.channels, c) : V{};
        V left[4], along[4];
        expand_two(d00, d10, left);
        expand_two(d01, d11, along);
        for (int64_t a = 0; a < 4; ++a) {
          V row[4];
          expand_two(left[a], along[a], row);
          for (int64_t b = 0; b < 4; ++b) store(out + (4 * a + b) * planes.plane_stride + c, row[b]);
        }
      });
    }
}

template <class A, class P>
void gradient_tiles(const FeatureMap<const A>& map, const ChannelAffine& affine, TileRows rows,
                    const TilePlanes<P>& planes) {
  if (affine.multiplier == nullptr)
    gradient_tiles_of(Plain<A>{map.data}, map, rows, planes);
  else
    gradient_tiles_of(Affine<A>{map.data, affine}, map, rows, planes);
}

template <class A, class P>
void batch_norm_gradient_tiles(const FeatureMap<const A>& g, const BatchNormBackward<A>& backward, TileRows rows,
                               const TilePlanes<P>& planes) {
  gradient_tiles_of(BatchNorm<A>{g.data, backward}, g, rows, planes);
}

/// G applied to three values.
template <class V>
inline __attribute__((always_inline)) void expand_three(V g0, V g1, V g2, V* out) {
  const V ends = 0.5f * (g0 + g2), middle = 0.5f * g1;
  out[0] = g0, out[1] = ends + middle, out[2] = ends - middle, out[3] = g2;
}

template <class A, class P>
void weight_tiles(const A* __restrict weight, int64_t channels, bool turned, P* __restrict planes,
                  int64_t plane_stride) {
  for_channels(0, channels, [&](auto lane, int64_t c) {
    using V = decltype(lane);
    V rows[3][4];
    for (int64_t i = 0; i < 3; ++i) {
      V g[3];
      for (int64_t j = 0; j < 3; ++j) g[j] = load<V>(weight + (turned ? 8 - 3 * i - j : 3 * i + j) * channels + c);
      expand_three(g[0], g[1], g[2], rows[i]);
    }
    for (int64_t b = 0; b < 4; ++b) {
      V column[4];
      expand_three(rows[0][b], rows[1][b], rows[2][b], column);
      for (int64_t a = 0; a < 4; ++a) store(planes + (4 * a + b) * plane_stride + c, column[a]);
    }
  });
}

/// Gᵀ applied to four values.
template <class V>
inline __attribute__((always_inline)) void reduce_four(V m0, V m1, V m2, V m3, V* out) {
  const V half = 0.5f * (m1 + m2);
  out[0] = m0 + half, out[1] = 0.5f * (m1 - m2), out[2] = half + m3;
}

void weight_gradient(const float* __restrict planes, int64_t plane_stride, int64_t channels,
                     float* __restrict d_weight) {
  for_channels(0, channels, [&](auto lane, int64_t c) {
    using V = decltype(lane);
    V rows[4][3];
    for (int64_t a = 0; a < 4; ++a) {
      V m[4];
      for (int64_t b = 0; b < 4; ++b) m[b] = load<V>(planes + (4 * a + b) * plane_stride + c);
      reduce_four(m[0], m[1], m[2], m[3], rows[a]);
    }
    for (int64_t j = 0; j < 3; ++j) {
      V column[3];
      reduce_four(rows[0][j], rows[1][j], rows[2][j], rows[3][j], column);
      for (int64_t i = 0; i < 3; ++i) store(d_weight + (3 * i + j) * channels + c, column[i]);
    }
  });
}

template <class A, class P>
void set_input_loops(WinogradInputLoops<A, P>& loops) {
  loops.input_tiles = input_tiles<A, P>;
  loops.gradient_tiles = gradient_tiles<A, P>;
  loops.batch_norm_gradient_tiles = batch_norm_gradient_tiles<A, P>;
  loops.weight_tiles = weight_tiles<A, P>;
}

}  // namespace

void set_winograd_input_loops(Loops& loops) {
  set_input_loops(loops.winograd_float32_inputs);
  set_input_loops(loops.winograd_bfloat16_inputs);
  set_input_loops(loops.winograd_widened_inputs);
  loops.winograd_weight_gradient = weight_gradient;
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
