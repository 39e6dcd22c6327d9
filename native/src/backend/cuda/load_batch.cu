#include "backend/cuda/load_batch.cuh"

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

void load_batch(Device& device, const LoadBatch& op) {
  with_storage(op.images.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const Shape& shape = op.images.shape;
    LoadBatchArguments<T> arguments{};
    arguments.pixels = op.pixels.as<uint8_t>();
    arguments.dataset_labels = op.dataset_labels.as<int32_t>();
    arguments.indices = op.indices.as<int32_t>();
    arguments.mean = op.mean.as<float>();
    arguments.deviation = op.deviation.as<float>();
    arguments.images = op.images.as<T>();
    arguments.labels = op.labels.as<int32_t>();
    arguments.step = device.step;
    arguments.height = static_cast<int>(shape.h);
    arguments.width = static_cast<int>(shape.w);
    arguments.channels = static_cast<int>(shape.c);
    arguments.crop_padding = static_cast<int>(op.augmentation.crop_padding);
    arguments.flips = op.augmentation.horizontal_flip;
    arguments.holes = static_cast<int>(op.augmentation.holes);
    arguments.half_hole = static_cast<int>(op.augmentation.hole_length / 2);
    with_width<T>(has_vector_rows<T>(shape.features(), {op.images}), [&](auto width) {
      arguments.chunks = static_cast<int>(blocks_for(shape.features(), load_batch_threads * width));
      LAYERWISE_LAUNCH((load_batch_kernel<T, decltype(width)::value>),
                       static_cast<unsigned>(shape.n * arguments.chunks), load_batch_threads, 0, device.stream,
                       arguments);
    });
  });
}

}  // namespace layerwise::cuda
