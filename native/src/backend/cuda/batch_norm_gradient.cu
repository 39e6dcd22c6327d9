#include "backend/cuda/batch_norm_gradient.cuh"

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

void batch_norm_gradient(Device& device, const BatchNormGradient& op) {
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
    arguments.share = static_cast<float>(1.0 / static_cast<double>(rows));
    with_width<T>(has_vector_rows<T>(shape.c, {op.g, op.y, op.addend, op.d_y}), [&](auto width) {
      arguments.tiles = make_row_tiles(1, rows, shape.c, width);
      LAYERWISE_LAUNCH((batch_norm_gradient_kernel<T, decltype(width)::value>), row_tile_blocks(arguments.tiles, 1),
                       row_tile_threads, 0, device.stream, arguments);
    });
  });
}

}  // namespace layerwise::cuda
