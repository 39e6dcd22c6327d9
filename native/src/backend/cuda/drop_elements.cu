// Dropout of single elements: output = x · (0 or 1 / (1 − probability)).
//
// Threads: each takes 16 bytes, 4 float or 8 Bfloat16 elements, and draws one or two times four random words for
// them; neighbours in a warp take neighbours in memory. The thread at the end takes what is left, one element at
// a time. Where the addresses are not aligned each thread takes one element.
// Bytes: 2 · elements · size (read x, write output). FLOPs: one per element, and about 20 integer
// operations for its random word.
// Floor on an H100: 2 · elements · size / 3.0 TB/s.
#include "backend/cuda/dropout.cuh"
#include "backend/cuda/operations.h"
#include "backend/cuda/row_tiles.cuh"

namespace layerwise::cuda {

constexpr int drop_elements_threads = 256;

template <class T, int width>
__global__ void __launch_bounds__(drop_elements_threads) drop_elements_kernel(const T* x, T* output, int64_t count,
                                                                              DropoutArguments dropout) {
  begin_kernel();
  const int64_t begin = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * width;
  if (begin + width <= count) {
    float values[width], factors[width];
    load_channels(x + begin, values);
    dropout_factors(dropout, static_cast<uint64_t>(begin), factors);
    for (int i = 0; i < width; ++i) values[i] *= factors[i];
    store_channels(output + begin, values);
  } else {
    for (int64_t i = begin; i < count; ++i) {
      float factor[1];
      dropout_factors(dropout, static_cast<uint64_t>(i), factor);
      store_element(output + i, load_element(x + i) * factor[0]);
    }
  }
}

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
