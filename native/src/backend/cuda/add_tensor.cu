#include "backend/cuda/add_tensor.cuh"

#include <type_traits>

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

void add_tensor(Device& device, const AddTensor& op) {
  with_storage(op.sum.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const int64_t count = op.sum.shape.elements();
    const unsigned blocks = blocks_for(count, add_tensor_threads * vector_elements<T>);
    LAYERWISE_LAUNCH(add_tensor_kernel<T>, blocks, add_tensor_threads, 0, device.stream, op.sum.as<T>(),
                     op.addend.as<T>(), count);
  });
}

}  // namespace layerwise::cuda
