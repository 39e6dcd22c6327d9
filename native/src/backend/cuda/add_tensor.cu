// sum ← sum + addend, element by element.
//
// Threads: each takes 16 bytes, 4 float or 8 Bfloat16 elements; neighbours in a warp take neighbours in
// memory. The thread at the end takes what is left, one element at a time.
// Bytes: 3 · elements · size (read both, write sum). FLOPs: one per element.
// Floor on an H100: 3 · elements · size / 3.0 TB/s.
#include <type_traits>

#include "backend/cuda/device_code.h"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

constexpr int add_tensor_threads = 256;

template <class T>
__global__ void __launch_bounds__(add_tensor_threads) add_tensor_kernel(T* sum, const T* addend, int64_t count) {
  begin_kernel();
  constexpr int width = vector_elements<T>;
  const int64_t begin = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * width;
  if (begin + width <= count) {
    float a[width], b[width];
    load_elements(sum + begin, a);
    load_elements(addend + begin, b);
    for (int i = 0; i < width; ++i) a[i] += b[i];
    store_elements(sum + begin, a);
  } else {
    for (int64_t i = begin; i < count; ++i) store_element(sum + i, load_element(sum + i) + load_element(addend + i));
  }
}

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
