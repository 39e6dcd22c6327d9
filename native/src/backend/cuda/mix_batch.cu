// Mixup and cutmix of a batch's samples with each other, and the targets that follow.
//
// Blocks: some of one image's elements each; in each of them one thread draws what the step draws, for all. Threads: 16
// bytes of the image (one element where images do not start at multiples of 16 bytes), neighbours in a warp neighbours in
// memory. The first block of an image writes its target.
// Bytes: read elements · size (each twice, the second time from the L2 cache), write elements · size and the targets,
// 4 · rows · K. FLOPs: 2 per element in mixup.
// Floor on an H100: 2 · elements · size / 3.0 TB/s.
#include "backend/backend.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/row_tiles.cuh"

namespace layerwise::cuda {

constexpr int mix_batch_threads = 128;

template <class T>
struct MixBatchArguments {
  Mixing mixing;
  const T* images;         // (samples, height, width, channels)
  const int32_t* labels;   // (samples)
  T* mixed;                // the rows' images, out
  float* targets;          // (rows, classes), out
  const StepState* step;
  int64_t samples, first_row, classes;
  int height, width, channels;
  int chunks;              // blocks per image
};

template <class T, int width>
__global__ void __launch_bounds__(mix_batch_threads) mix_batch_kernel(MixBatchArguments<T> a) {
  begin_kernel();
  LAYERWISE_SHARED(MixDraw, drawn, );
  if (threadIdx.x == 0) drawn = draw_mix(a.mixing, a.step->seed, a.step->step, a.samples, a.height, a.width);
  __syncthreads();
  const int64_t row = blockIdx.x / a.chunks, own = a.first_row + row, other = (own + drawn.shift) % a.samples;
  const int chunk = static_cast<int>(blockIdx.x % a.chunks);
  const int elements = a.height * a.width * a.channels;
  const auto share = static_cast<float>(drawn.share);
  if (chunk == 0) {
    const int32_t own_label = a.labels[own], other_label = a.labels[other];
    for (int64_t k = threadIdx.x; k < a.classes; k += blockDim.x)
      a.targets[row * a.classes + k] = (k == own_label ? share : 0.0f) + (k == other_label ? 1 - share : 0.0f);
  }
  const int begin = (chunk * mix_batch_threads + static_cast<int>(threadIdx.x)) * width;
  if (begin >= elements) return;
  float values[width], others[width];
  load_channels(a.images + own * elements + begin, values);
  load_channels(a.images + other * elements + begin, others);
  const int row_elements = a.width * a.channels;
  LAYERWISE_UNROLL
  for (int i = 0; i < width; ++i) {
    if (drawn.pastes) {
      const int y = (begin + i) / row_elements, x = (begin + i) % row_elements / a.channels;
      if (y >= drawn.top && y < drawn.bottom && x >= drawn.left && x < drawn.right) values[i] = others[i];
    } else {
      values[i] = share * values[i] + (1 - share) * others[i];
    }
  }
  store_channels(a.mixed + row * elements + begin, values);
}

void mix_batch(Device& device, const MixBatch& op) {
  with_storage(op.mixed.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const Shape& shape = op.mixed.shape;
    MixBatchArguments<T> a{};
    a.mixing = op.mixing;
    a.images = op.images.as<T>();
    a.labels = op.labels.as<int32_t>();
    a.mixed = op.mixed.as<T>();
    a.targets = op.targets.as<float>();
    a.step = device.step;
    a.samples = op.images.shape.n;
    a.first_row = op.first_row;
    a.classes = op.targets.shape.c;
    a.height = static_cast<int>(shape.h);
    a.width = static_cast<int>(shape.w);
    a.channels = static_cast<int>(shape.c);
    with_width<T>(has_vector_rows<T>(shape.features(), {op.images, op.mixed}), [&](auto width) {
      a.chunks = static_cast<int>(blocks_for(shape.features(), mix_batch_threads * width));
      LAYERWISE_LAUNCH((mix_batch_kernel<T, decltype(width)::value>), static_cast<unsigned>(shape.n * a.chunks),
                       mix_batch_threads, 0, device.stream, a);
    });
  });
}

}  // namespace layerwise::cuda
