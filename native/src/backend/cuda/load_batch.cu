// A batch of augmented, normalised images from bytes that lie on the device: crop, flip, cutout, and the labels.
//
// Blocks: some of one image's elements each; all of them draw the image's random numbers. Threads: each makes 16
// bytes of the image (one element where images do not start at multiples of 16 bytes), neighbours in a warp
// neighbours in memory, and fetches the bytes that belong there, which lie together except at the edges of rows.
// Holes are drawn into shared memory, 64 at a time, and each thread looks which of its elements lie in them.
// Bytes: elements · (1 + size) (read a byte, write an element), and 12 per image. FLOPs: 3 per element, two of
// them divisions, since a normalised value is to be as exact as a parameter.
// Floor on an H100: elements · (1 + size) / 3.0 TB/s.
#include "backend/backend.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/row_tiles.cuh"

namespace layerwise::cuda {

constexpr int load_batch_threads = 128;
constexpr int holes_at_once = 64;

template <class T>
struct LoadBatchArguments {
  const uint8_t* pixels;
  const int32_t* dataset_labels;
  const int32_t* indices;
  const float* mean;
  const float* deviation;
  T* images;
  int32_t* labels;
  const StepState* step;
  int height, width, channels;
  int chunks;        // blocks per image
  int crop_padding;
  HorizontalFlip flip;
  int holes, half_hole;
};

/// Which pixel of the source becomes (row, column) of the image.
struct ImageSource {
  int row_offset, column_offset;
  bool flipped;
};

struct HoleCentre {
  int row, column;
};

template <class T>
__device__ __forceinline__ ImageSource draw_source(const LoadBatchArguments<T>& a, const RandomKey& key, int64_t index) {
  const PhiloxWords words = random_words(key, 0);
  const auto range = static_cast<uint32_t>(2 * a.crop_padding + 1);
  bool flipped = a.flip == HorizontalFlip::random && words.word[2] < 0x80000000u;
  if (a.flip == HorizontalFlip::alternating)
    flipped = is_alternately_flipped(key.seed, static_cast<uint32_t>(index), a.step->epoch);
  return {static_cast<int>(random_below(words.word[0], range)) - a.crop_padding,
          static_cast<int>(random_below(words.word[1], range)) - a.crop_padding, flipped};
}

/// Element of an image at (row, column, channel), which moves on from one to the next.
struct ImagePosition {
  int row, column, channel;

  __device__ __forceinline__ void advance(int width, int channels) {
    if (++channel < channels) return;
    channel = 0;
    if (++column < width) return;
    column = 0;
    ++row;
  }
};

template <class T>
__device__ __forceinline__ float source_value(const LoadBatchArguments<T>& a, const ImageSource& source,
                                              const uint8_t* pixels, const ImagePosition& at) {
  const int row = at.row + source.row_offset;
  const int column = (source.flipped ? a.width - 1 - at.column : at.column) + source.column_offset;
  const bool inside = row >= 0 && row < a.height && column >= 0 && column < a.width;
  const float byte = inside ? static_cast<float>(pixels[(at.channel * a.height + row) * a.width + column]) : 0.0f;
  return (byte / 255 - a.mean[at.channel]) / a.deviation[at.channel];
}

/// Sets those of a thread's values, which begin at `first`, to 0 that lie in the image's holes. All threads of the
/// block take part.
template <class T, int width>
__device__ __forceinline__ void cut_out(const LoadBatchArguments<T>& a, const RandomKey& key,
                                        const ImagePosition& first, float (&values)[width]) {
  LAYERWISE_SHARED(HoleCentre, centres, [holes_at_once]);
  for (int drawn = 0; drawn < a.holes; drawn += holes_at_once) {
    const int count = min(holes_at_once, a.holes - drawn);
    const int own = static_cast<int>(threadIdx.x);
    if (own < count) {
      const uint64_t word = 3 + 2 * static_cast<uint64_t>(drawn + own);
      centres[own] = {static_cast<int>(random_below(random_word(key, word), static_cast<uint32_t>(a.height))),
                      static_cast<int>(random_below(random_word(key, word + 1), static_cast<uint32_t>(a.width)))};
    }
    __syncthreads();
    for (int hole = 0; hole < count; ++hole) {
      const HoleCentre centre = centres[hole];
      ImagePosition at = first;
      for (int i = 0; i < width; ++i) {
        if (at.row >= centre.row - a.half_hole && at.row < centre.row + a.half_hole &&
            at.column >= centre.column - a.half_hole && at.column < centre.column + a.half_hole)
          values[i] = 0;
        at.advance(a.width, a.channels);
      }
    }
    __syncthreads();
  }
}

template <class T, int width>
__global__ void __launch_bounds__(load_batch_threads) load_batch_kernel(LoadBatchArguments<T> a) {
  begin_kernel();
  const int64_t image = blockIdx.x / a.chunks;
  const int chunk = static_cast<int>(blockIdx.x % a.chunks);
  const int elements = a.height * a.width * a.channels;
  const int64_t index = a.indices[image];
  if (chunk == 0 && threadIdx.x == 0) a.labels[image] = a.dataset_labels[index];

  const RandomKey key{a.step->seed, RandomPurpose::augmentation, static_cast<uint32_t>(a.step->first_sample + image),
                      a.step->step};
  const int begin = (chunk * load_batch_threads + static_cast<int>(threadIdx.x)) * width;
  const int row_elements = a.width * a.channels;
  const ImagePosition first{begin / row_elements, begin % row_elements / a.channels, begin % a.channels};
  float values[width] = {};
  if (begin < elements) {
    const ImageSource source = draw_source(a, key, index);
    const uint8_t* const pixels = a.pixels + index * elements;
    ImagePosition at = first;
    for (int i = 0; i < width; ++i) {
      values[i] = source_value(a, source, pixels, at);
      at.advance(a.width, a.channels);
    }
  }
  cut_out(a, key, first, values);
  if (begin < elements) store_channels(a.images + image * elements + begin, values);
}

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
    arguments.flip = op.augmentation.horizontal_flip;
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
