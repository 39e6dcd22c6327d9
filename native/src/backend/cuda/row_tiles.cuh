// Channels-last data as rows of channels, shared out among blocks: for kernels that do the same with every row
// and need numbers that belong to the channels.
//
// The rows come in groups of equal size (all of them, or those of one sample). A block takes `lanes` times
// `width` neighbouring channels of some rows of one group, so that a thread keeps its channels, and what it
// has read or worked out for them, from row to row. width is 16 bytes of T where everything is aligned to
// that, and 1 otherwise.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <type_traits>

#include "backend/cuda/device_code.h"
#include "core/tensor.h"

namespace layerwise::cuda {

constexpr int row_tile_threads = 256;

struct RowTiles {
  int64_t rows = 0;            // of a group
  int64_t rows_per_block = 0;
  int64_t channels = 0;
  int lanes = 1;               // threads side by side along the channels; a power of two
  int64_t slices = 1;          // blocks side by side along the channels
  int64_t chunks = 1;          // blocks that share the rows of a group
};

/// What one thread of a block of row_tile_threads does: rows begin, begin + step, … below end, counted over
/// all groups, of the channels from `channel`. begin ≥ end for threads past the last channel.
struct RowTile {
  int64_t group, chunk, begin, end, channel;
  int step;
};

template <int width>
__device__ __forceinline__ RowTile own_rows(const RowTiles& tiles) {
  const int64_t block = blockIdx.x;
  const int lane = static_cast<int>(threadIdx.x) & (tiles.lanes - 1);
  const int64_t part = block / tiles.slices;
  RowTile tile;
  tile.group = part / tiles.chunks;
  tile.chunk = part % tiles.chunks;
  tile.step = row_tile_threads / tiles.lanes;
  tile.channel = (block % tiles.slices * tiles.lanes + lane) * width;
  const int64_t first = tile.chunk * tiles.rows_per_block;
  tile.begin = tile.group * tiles.rows + first + static_cast<int>(threadIdx.x) / tiles.lanes;
  tile.end = tile.group * tiles.rows + min(tiles.rows, first + tiles.rows_per_block);
  if (tile.channel >= tiles.channels) tile.end = tile.begin;
  return tile;
}

template <int width, class T>
__device__ __forceinline__ void load_channels(const T* from, float (&values)[width]) {
  if constexpr (width == 1)
    values[0] = load_element(from);
  else
    load_elements(from, values);
}

template <int width, class T>
__device__ __forceinline__ void store_channels(T* to, const float (&values)[width]) {
  if constexpr (width == 1)
    store_element(to, values[0]);
  else
    store_elements(to, values);
}

/// The smallest power of two that is not below `value`.
inline int power_of_two_from(int64_t value) {
  int power = 1;
  while (power < value) power *= 2;
  return power;
}

/// How many threads lie side by side along `vectors` vectors of channels in a block that has `others` things to
/// do for each: a memory transaction's worth, more where few threads would have work otherwise.
inline int lanes_along_channels(int64_t vectors, int64_t others, int width, int threads) {
  const int all = power_of_two_from(std::min<int64_t>(vectors, threads));
  int lanes = std::min(all, width == 1 ? 32 : 8);
  while (lanes < all && 2 * lanes * others <= threads) lanes *= 2;
  return lanes;
}

constexpr int64_t rows_per_thread = 8;

/// Tiles for `groups` groups of `rows` rows. Threads take at least `rows_per_thread` rows where there are as
/// many, and more where there would be more than `most_blocks` blocks otherwise.
inline RowTiles make_row_tiles(int64_t groups, int64_t rows, int64_t channels, int width,
                               int64_t most_blocks = 0x7FFFFFFF) {
  RowTiles tiles;
  tiles.rows = rows;
  tiles.channels = channels;
  const int64_t vectors = (channels + width - 1) / width;
  tiles.lanes = lanes_along_channels(vectors, rows, width, row_tile_threads);
  tiles.slices = (vectors + tiles.lanes - 1) / tiles.lanes;
  const int64_t least = row_tile_threads / tiles.lanes * rows_per_thread;
  const int64_t chunks =
      std::max<int64_t>(1, std::min((rows + least - 1) / least, most_blocks / (groups * tiles.slices)));
  tiles.rows_per_block = (rows + chunks - 1) / chunks;
  tiles.chunks = (rows + tiles.rows_per_block - 1) / tiles.rows_per_block;
  return tiles;
}

inline unsigned row_tile_blocks(const RowTiles& tiles, int64_t groups) {
  return static_cast<unsigned>(groups * tiles.chunks * tiles.slices);
}

/// Whether rows of that many elements of T, in all of these tensors (absent ones too), start at multiples of
/// 16 bytes.
template <class T>
bool has_vector_rows(int64_t elements, std::initializer_list<Tensor> tensors) {
  if (elements % vector_elements<T> != 0) return false;
  return std::all_of(tensors.begin(), tensors.end(), [](const Tensor& tensor) {
    return reinterpret_cast<uintptr_t>(tensor.data) % sizeof(Vector16) == 0;
  });
}

/// Calls body with the width of accesses as a constant: 16 bytes of T, or 1 element.
template <class T, class Body>
void with_width(bool vectors, const Body& body) {
  if (vectors)
    body(std::integral_constant<int, vector_elements<T>>{});
  else
    body(std::integral_constant<int, 1>{});
}

}  // namespace layerwise::cuda
