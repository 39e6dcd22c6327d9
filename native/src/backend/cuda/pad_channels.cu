// Maps and weights of few channels with zeros up to as many as 16 bytes hold, for the loaders of whole chunks: an image of three
// channels, otherwise loaded element by element, again for every tap.
//
// Threads: each writes 16 bytes. Bytes: read rows · C · size, write 16 · rows. Floor on an H100: that / 3.0 TB/s.
#include "backend/cuda/pad_channels.h"

#include "backend/cuda/device_code.h"

namespace layerwise::cuda {

constexpr int pad_threads = 256;

template <class T>
__global__ void __launch_bounds__(pad_threads) pad_channels_kernel(const T* from, T* to, int64_t rows, int channels) {
  begin_kernel();
  constexpr int width = vector_elements<T>;
  const int64_t row = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (row >= rows) return;
  float values[width];
  LAYERWISE_UNROLL
  for (int c = 0; c < width; ++c) values[c] = c < channels ? load_element(from + row * channels + c) : 0.0f;
  store_elements(to + row * width, values);
}

bool has_few_channels(const Tensor& tensor) {
  return tensor.shape.c < static_cast<int64_t>(sizeof(Vector16) / size_of(tensor.type));
}

ArenaTensor pad_channels(const Device& device, const Tensor& tensor) {
  Shape shape = tensor.shape;
  shape.c = static_cast<int64_t>(sizeof(Vector16) / size_of(tensor.type));
  ArenaTensor padded = device.arena.take(tensor.type, shape);
  const int64_t rows = shape.n * shape.positions();
  with_storage(tensor.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    LAYERWISE_LAUNCH(pad_channels_kernel<T>, blocks_for(rows, pad_threads), pad_threads, 0, device.stream,
                     static_cast<const T*>(tensor.as<T>()), padded.view().as<T>(), rows,
                     static_cast<int>(tensor.shape.c));
  });
  return padded;
}

}  // namespace layerwise::cuda
