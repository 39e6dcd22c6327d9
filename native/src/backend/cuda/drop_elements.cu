// Dropout of single elements: output = x · (0 or 1 / (1 − probability)).
//
// Threads: each takes 16 bytes, 4 float or 8 Bfloat16 elements, and draws one or two times four random words for
// them; neighbours in a warp take neighbours in memory. Where the addresses are not aligned, or samples do not begin at
// multiples of that, each thread takes one element.
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
                                                                              int64_t features,
                                                                              DropoutArguments dropout) {
  begin_kernel();
  const int64_t begin = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * width;
  if (begin >= count) return;
  float values[width], factors[width];
  load_channels(x + begin, values);
  dropout_factors(dropout, features, begin, factors);
  for (int i = 0; i < width; ++i) values[i] *= factors[i];
  store_channels(output + begin, values);
}

void drop_elements(Device& device, const DropElements& op) {
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const int64_t count = op.x.shape.elements(), features = op.x.shape.features();
    with_width<T>(has_vector_rows<T>(features, {op.x, op.output}), [&](auto width) {
      const unsigned blocks = blocks_for(count, drop_elements_threads * width);
      LAYERWISE_LAUNCH((drop_elements_kernel<T, decltype(width)::value>), blocks, drop_elements_threads, 0,
                       device.stream, op.x.as<T>(), op.output.as<T>(), count, features,
                       dropout_arguments(op.dropout, device.step));
    });
  });
}

}  // namespace layerwise::cuda
