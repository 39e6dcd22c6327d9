// The gradient of features that are standard deviations over positions:
// d_x = d_deviation · (x − mean) / ((positions − 1) · deviation), 0 where deviation is 0.
//
// Threads: rows are the positions of one sample; a thread takes 16 bytes of channels (one channel where they
// are not aligned) in about 8 rows and works out the two coefficients of its channels once. See row_tiles.cuh.
// Bytes: 2 · elements · size (read x, write d_x), and 12 per sample and channel. FLOPs: 2 per element.
// Floor on an H100: (2 · elements · size + 12 · N · C) / 3.0 TB/s.
#include "backend/cuda/operations.h"
#include "backend/cuda/row_tiles.cuh"

namespace layerwise::cuda {

template <class T>
struct DeviationGradientArguments {
  const T* x;
  const float* mean;
  const float* deviation;
  const float* d_deviation;
  T* d_x;         // may be x
  float freedom;  // positions − 1
  RowTiles tiles;
};

template <class T, int width>
__global__ void __launch_bounds__(row_tile_threads) deviation_gradient_kernel(DeviationGradientArguments<T> a) {
  begin_kernel();
  const RowTile tile = own_rows<width>(a.tiles);
  if (tile.begin >= tile.end) return;
  float mean[width], factor[width];
  for (int i = 0; i < width; ++i) {
    const int64_t c = tile.group * a.tiles.channels + tile.channel + i;
    mean[i] = a.mean[c];
    factor[i] = a.deviation[c] == 0 ? 0 : a.d_deviation[c] / (a.freedom * a.deviation[c]);
  }
  for (int64_t row = tile.begin; row < tile.end; row += tile.step) {
    const int64_t at = row * a.tiles.channels + tile.channel;
    float x[width];
    load_channels(a.x + at, x);
    for (int i = 0; i < width; ++i) x[i] = factor[i] * (x[i] - mean[i]);
    store_channels(a.d_x + at, x);
  }
}

void deviation_gradient(Device& device, const DeviationGradient& op) {
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const Shape& shape = op.x.shape;
    DeviationGradientArguments<T> arguments{};
    arguments.x = op.x.as<T>();
    arguments.mean = op.mean.as<float>();
    arguments.deviation = op.deviation.as<float>();
    arguments.d_deviation = op.d_deviation.as<float>();
    arguments.d_x = op.d_x.as<T>();
    arguments.freedom = static_cast<float>(shape.positions() - 1);
    with_width<T>(has_vector_rows<T>(shape.c, {op.x, op.d_x}), [&](auto width) {
      arguments.tiles = make_row_tiles(shape.n, shape.positions(), shape.c, width);
      LAYERWISE_LAUNCH((deviation_gradient_kernel<T, decltype(width)::value>),
                       row_tile_blocks(arguments.tiles, shape.n), row_tile_threads, 0, device.stream, arguments);
    });
  });
}

}  // namespace layerwise::cuda
