// The operands of the implicit GEMM as matrices that exist nowhere: which element of a tensor stands in a
// row and a column, the columns being what follows itself in memory. A source has
//
//   row(r), column(c)      what can be worked out about a row or a column alone, once for many elements
//   locate(row, column, i) whether there is an element, and its index; otherwise it is 0
//   data, vectors          the tensor, and whether every `vector_elements` columns from a multiple of that
//                          number on are 16 aligned bytes
#pragma once

#include "backend/cuda/device_code.h"
#include "backend/cuda/divisor.h"

namespace layerwise::cuda {

constexpr int nowhere = 1 << 28;  // a coordinate outside every map

/// Rows: positions (n, h, w) on the map that a convolution writes (of which the data gradient is one).
/// Columns: tap · C + c. The element is what the tap meets there on the map that is read:
/// at (h · stride − padding + kh, …), or where `transposed`, from which output that tap reached the position:
/// at ((h + padding − kh) / stride, …) if that is a whole number.
template <class T, bool transposed>
struct Patches {
  const T* data;
  bool vectors;
  int rows, columns;
  int height, width, channels;  // of the map that is read
  int stride, padding;
  Divisor row_area, row_width;  // of the map that is written
  Divisor by_channels, by_kernel_width, by_stride;

  struct Row {
    int64_t base;  // position (n, 0, 0) of the map that is read
    int top, left;
  };
  struct Column {
    int down, right, channel;
  };

  __device__ __forceinline__ Row row(int r) const {
    if (r >= rows) return {0, -nowhere, -nowhere};
    int rest, w;
    const int n = row_area.quotient(r, rest);
    const int h = row_width.quotient(rest, w);
    const int64_t base = static_cast<int64_t>(n) * height * width;
    if constexpr (transposed) return {base, h + padding, w + padding};
    return {base, h * stride - padding, w * stride - padding};
  }

  __device__ __forceinline__ Column column(int c) const {
    if (c >= columns) return {transposed ? nowhere : -nowhere, 0, 0};
    int channel, kw;
    const int tap = by_channels.quotient(c, channel);
    const int kh = by_kernel_width.quotient(tap, kw);
    return {kh, kw, channel};
  }

  __device__ __forceinline__ bool locate(const Row& row, const Column& column, int64_t& index) const {
    int h, w;
    if constexpr (transposed) {
      h = row.top - column.down;
      w = row.left - column.right;
      if (h < 0 || w < 0) return false;
      int rest_h = 0, rest_w = 0;
      if (stride > 1) {
        h = by_stride.quotient(h, rest_h);
        w = by_stride.quotient(w, rest_w);
      }
      if (rest_h + rest_w > 0) return false;
    } else {
      h = row.top + column.down;
      w = row.left + column.right;
      if (h < 0 || w < 0) return false;
    }
    if (h >= height || w >= width) return false;
    index = (row.base + h * width + w) * channels + column.channel;
    return true;
  }
};

/// A matrix: row r begins at element r · columns.
template <class T>
struct MatrixRows {
  const T* data;
  bool vectors;
  int rows, columns;

  struct Row {
    int64_t base;  // below 0: there is no such row
  };
  using Column = int;  // below 0: there is no such column

  __device__ __forceinline__ Row row(int r) const {
    if (r >= rows) return {-1};
    return {static_cast<int64_t>(r) * columns};
  }
  __device__ __forceinline__ Column column(int c) const { return c < columns ? c : -1; }
  __device__ __forceinline__ bool locate(const Row& row, Column column, int64_t& index) const {
    index = row.base + column;
    return row.base >= 0 && column >= 0;
  }
};

/// A convolution's weights (O, taps, I), seen from its output: rows tap · O + o, columns i.
template <class T>
struct WeightsByTap {
  const T* data;
  bool vectors;
  int rows, columns;
  int taps;
  Divisor by_out_channels;

  struct Row {
    int64_t base;  // below 0: there is no such row
  };
  using Column = int;  // below 0: there is no such column

  __device__ __forceinline__ Row row(int r) const {
    if (r >= rows) return {-1};
    int o;
    const int tap = by_out_channels.quotient(r, o);
    return {(static_cast<int64_t>(o) * taps + tap) * columns};
  }
  __device__ __forceinline__ Column column(int c) const { return c < columns ? c : -1; }
  __device__ __forceinline__ bool locate(const Row& row, Column column, int64_t& index) const {
    index = row.base + column;
    return row.base >= 0 && column >= 0;
  }
};

}  // namespace layerwise::cuda
