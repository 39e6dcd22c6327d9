#include "backend/cuda/drop_elements.cuh"

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

void drop_elements(Device& device, const DropElements& op) {
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const int64_t count = op.x.shape.elements();
    with_width<T>(has_vector_rows<T>(0, {op.x, op.output}), [&](auto width) {
      const unsigned blocks = blocks_for(count, drop_elements_threads * width);
      LAYERWISE_LAUNCH((drop_elements_kernel<T, decltype(width)::value>), blocks, drop_elements_threads, 0,
                       device.stream, op.x.as<T>(), op.output.as<T>(), count,
                       dropout_arguments(op.dropout, device.step));
    });
  });
}

}  // namespace layerwise::cuda
