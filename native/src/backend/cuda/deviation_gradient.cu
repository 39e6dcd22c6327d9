#include "backend/cuda/deviation_gradient.cuh"

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

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
