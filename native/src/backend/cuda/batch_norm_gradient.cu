// Batch-norm backward: d_y = scale / sqrt(variance + ε) · (g − d_shift / M − ŷ · d_scale / M) (+ addend).
//
// Threads: rows are positions of samples; a thread takes 16 bytes of channels (one channel where they are not
// aligned) in about 8 rows and works out the four coefficients of its channels once. See row_tiles.cuh.
// Bytes: 3 · elements · size, 4 with an addend (read g, y and addend, write d_y), and 24 per channel.
// FLOPs: 5 per element, 6 with an addend.
// Floor on an H100: 3 (4) · elements · size / 3.0 TB/s.
#include "backend/backend.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/row_tiles.cuh"

namespace layerwise::cuda {

template <class T>
struct BatchNormGradientArguments {
  const T* g;
  const T* y;
  const float* mean;
  const float* variance;
  const float* scale;
  const float* d_scale;
  const float* d_shift;
  const T* addend;  // or null
  T* d_y;           // may be g
  float* zeros;     // (C), or null
  float share;      // 1 / M
  RowTiles tiles;
};

template <class T, int width>
__global__ void __launch_bounds__(row_tile_threads) batch_norm_gradient_kernel(BatchNormGradientArguments<T> a) {
  begin_kernel();
  const RowTile tile = own_rows<width>(a.tiles);
  if (tile.begin >= tile.end) return;
  float mean[width], factor[width], level[width], slope[width];
  for (int i = 0; i < width; ++i) {
    const int64_t c = tile.channel + i;
    const float reciprocal = 1 / sqrtf(a.variance[c] + static_cast<float>(batch_norm_epsilon));
    mean[i] = a.mean[c];
    factor[i] = a.scale[c] * reciprocal;
    level[i] = a.d_shift[c] * a.share;
    slope[i] = reciprocal * (a.d_scale[c] * a.share);
    if (a.zeros != nullptr && tile.begin == 0) a.zeros[c] = 0;
  }
  for (int64_t row = tile.begin; row < tile.end; row += tile.step) {
    const int64_t at = row * a.tiles.channels + tile.channel;
    float g[width], y[width], addend[width] = {};
    load_channels(a.g + at, g);
    load_channels(a.y + at, y);
    if (a.addend != nullptr) load_channels(a.addend + at, addend);
    for (int i = 0; i < width; ++i)
      g[i] = factor[i] * (g[i] - level[i] - (y[i] - mean[i]) * slope[i]) + addend[i];
    store_channels(a.d_y + at, g);
  }
}

void batch_norm_gradient(Device& device, const BatchNormGradient& op) { batch_norm_gradient(device, op, {}); }

void batch_norm_gradient(Device& device, const BatchNormGradient& op, const Tensor& zeros) {
  with_storage(op.g.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const Shape& shape = op.g.shape;
    const int64_t rows = shape.n * shape.positions();
    BatchNormGradientArguments<T> arguments{};
    arguments.g = op.g.as<T>();
    arguments.y = op.y.as<T>();
    arguments.mean = op.mean.as<float>();
    arguments.variance = op.variance.as<float>();
    arguments.scale = op.scale.as<float>();
    arguments.d_scale = op.d_scale.as<float>();
    arguments.d_shift = op.d_shift.as<float>();
    arguments.addend = op.addend.as<T>();
    arguments.d_y = op.d_y.as<T>();
    arguments.zeros = zeros.as<float>();
    arguments.share = static_cast<float>(1.0 / static_cast<double>(rows));
    with_width<T>(has_vector_rows<T>(shape.c, {op.g, op.y, op.addend, op.d_y}), [&](auto width) {
      arguments.tiles = make_row_tiles(1, rows, shape.c, width);
      LAYERWISE_LAUNCH((batch_norm_gradient_kernel<T, decltype(width)::value>), row_tile_blocks(arguments.tiles, 1),
                       row_tile_threads, 0, device.stream, arguments);
    });
  });
}

}  // namespace layerwise::cuda
