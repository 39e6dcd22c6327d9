#include "backend/cpu/winograd.h"

#include <omp.h>

#include <cmath>
#include <sstream>
#include <vector>

#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

constexpr int64_t planes = 16;

// Transformed tiles of a block and the products of a slice of output channels stay in a core's second
// cache: half a megabyte each at most, with 512 channels of bf16. oneDNN's products run at full speed from 32
// rows on.
constexpr int64_t most_tiles = 32;
constexpr int64_t most_slice_channels = 256;

/// Output channels cut into slices of about equal size.
struct Slices {
  int64_t channels, size;

  explicit Slices(int64_t all) : channels(all) {
    const int64_t slices = (all + most_slice_channels - 1) / most_slice_channels;
    size = std::min(all, ((all + slices - 1) / slices + 15) / 16 * 16);
  }
  int64_t count() const { return (channels + size - 1) / size; }
  int64_t begin(int64_t i) const { return i * size; }
  int64_t width(int64_t i) const { return std::min(size, channels - begin(i)); }
};

/// Room for `count` vectors of `elements` T each, each on cache lines of its own.
template <class T>
class Room {
 public:
  Room(Arena& arena, int64_t count, int64_t elements) : stride_((elements * sizeof(T) + 63) / 64 * 64) {
    memory_ = arena.take(DataType::uint8, Shape::matrix(count, stride_));
  }
  T* at(int64_t i) const { return reinterpret_cast<T*>(memory_.view().as<char>() + i * stride_); }

 private:
  int64_t stride_;
  ArenaTensor memory_;
};

std::string words(const Tensor& input, int64_t outputs) {
  std::ostringstream text;
  text << "the Winograd convolution of " << input.shape.to_string() << " with " << outputs << " outputs";
  return text.str();
}

}  // namespace

// The weights are transformed once and packed by slices; then each thread takes block after block:
// transforms its tiles, and for each slice multiplies and hands the 16 planes of products, segment by
// segment, to finish(segment index, planes, first channel, channels).
template <class A, class P, class Finish>
void Winograd::convolve_as(const Tensor& input, const SampleAffine& affine, const Tensor& weight, bool transposed,
                           const TileBlocks& blocks, const Finish& finish) {
  const WinogradInputLoops<A, P>& loops = inputs<A, P>();
  const Shape& shape = input.shape;
  const int64_t rows = weight.shape.n, columns = weight.shape.c;
  const int64_t depth = transposed ? rows : columns, outputs = transposed ? columns : rows;
  const int64_t full = blocks.tiles_of_full_block();
  const Slices slices(outputs);

  with_onednn_errors([&] { return words(input, outputs); }, [&] {
    std::vector<const WinogradProduct*> products;
    for (int64_t i = 0; i < slices.count(); ++i)
      products.push_back(&products_.tiles_times_weights<P>(full, depth, slices.width(i)));

    std::vector<ArenaTensor> packed;
    {
      const int64_t stride = plane_stride<P>(rows * columns);
      const Room<P> transformed(arena_, 1, planes * stride);
      parallel_items(rows, planes * columns, [&](int64_t o) {
        loops.weight_tiles(weight.as<A>() + o * 9 * columns, columns, transposed, transformed.at(0) + o * columns,
                           stride);
      });
      for (int64_t s = 0; s < slices.count(); ++s) {
        const dnnl::memory::desc& wanted = products[s]->right();
        const int64_t row_stride = transposed ? columns : 1, column_stride = transposed ? 1 : columns;
        const dnnl::memory::desc plain({planes, depth, slices.width(s)}, onednn_type<P>,
                                       {stride, row_stride, column_stride});
        packed.push_back(take_memory(arena_, wanted));
        products_.pack(arena_, plain, transformed.at(0) + slices.begin(s) * column_stride, wanted,
                       packed.back().view().data);
      }
    }

    const int threads = omp_get_max_threads();
    const int64_t left_stride = plane_stride<P>(full * depth);
    const Room<P> lefts(arena_, threads, planes * left_stride);
    const Room<float> results(arena_, threads, planes * plane_stride<float>(full * slices.size));
    int64_t scratch_bytes = 0;
    for (const WinogradProduct* product : products)
      scratch_bytes = std::max(scratch_bytes, static_cast<int64_t>(product->scratchpad().get_size()));
    const Room<char> scratches(arena_, threads, scratch_bytes + 1);

    share_work(blocks.blocks(), [&] {
      const int thread = omp_get_thread_num();
      P* const left = lefts.at(thread);
      float* const result = results.at(thread);
      return [&, left, result, scratch = scratches.at(thread),
              stream = dnnl::stream(products_.engine())](int64_t block) mutable {
        int64_t row = 0;
        for (int64_t i = blocks.first_segment(block); i < blocks.last_segment(block); ++i) {
          const TileSegment segment = blocks.segment(i);
          loops.input_tiles({input.as<A>() + segment.sample * shape.features(), shape.h, shape.w, shape.c},
                            affine.of(segment.sample, shape.c), segment.rows,
                            {left + row * depth, left_stride, depth});
          row += blocks.tiles(i);
        }
        for (int64_t p = 0; row < full && p < planes; ++p)  // fewer tiles: the others are zero
          std::fill_n(left + p * left_stride + row * depth, (full - row) * depth, P{});
        for (int64_t s = 0; s < slices.count(); ++s) {
          products[s]->execute(products_.engine(), stream, left, packed[s].view().data, result, scratch);
          const int64_t width = slices.width(s), result_stride = plane_stride<float>(full * width);
          int64_t done = 0;
          for (int64_t i = blocks.first_segment(block); i < blocks.last_segment(block); ++i) {
            finish(i, TilePlanes<const float>{result + done * width, result_stride, width}, slices.begin(s), width);
            done += blocks.tiles(i);
          }
        }
      };
    });
  });
}

template <class A, class Finish>
void Winograd::convolve(const Tensor& input, const SampleAffine& affine, const Tensor& weight, bool transposed,
                        const TileBlocks& blocks, const Finish& finish) {
  with_planes<A>([&](auto plane) {
    convolve_as<A, decltype(plane)>(input, affine, weight, transposed, blocks, finish);
  });
}

template <class A>
void Winograd::forward(const ConvolutionForward& op) {
  const Shape& shape = op.y.shape;
  const TileBlocks blocks(shape.n, shape.h, shape.w, most_tiles, omp_get_max_threads());
  const bool summed = op.moments != ConvolutionForward::Moments::none;
  ArenaTensor sums;
  if (summed) sums = arena_.take(DataType::float32, Shape::matrix(blocks.segments(), 3 * shape.c));
  convolve<A>(op.x, {}, op.weight, false, blocks,
              [&](int64_t i, const TilePlanes<const float>& tiles, int64_t first, int64_t channels) {
                const TileSegment segment = blocks.segment(i);
                CenteredSums segment_sums;
                if (summed) {
                  float* const center = sums.view().as<float>() + i * 3 * shape.c;
                  segment_sums = {center, center + shape.c, center + 2 * shape.c};
                }
                outputs<A>().output_tiles(
                    tiles, segment.rows, first, channels, op.bias.as<float>(),
                    {op.y.as<A>() + segment.sample * shape.features(), shape.h, shape.w, shape.c}, segment_sums);
              });
  if (summed) finish_moments(op, blocks, sums);
}

// Segments are merged in order, per sample and channel or per channel.
void Winograd::finish_moments(const ConvolutionForward& op, const TileBlocks& blocks, const Tensor& sums) {
  const Shape& shape = op.y.shape;
  const bool per_sample = op.moments == ConvolutionForward::Moments::sample_channel;
  const int64_t groups = per_sample ? shape.n : 1;
  const int64_t segments = per_sample ? blocks.segments_per_sample() : blocks.segments();
  const int64_t count = per_sample ? shape.positions() : shape.n * shape.positions();
  const int64_t divisor = per_sample ? std::max<int64_t>(1, count - 1) : count;
  const Room<double> means(arena_, groups, shape.c), squares(arena_, groups, shape.c);
  parallel_items(groups, segments * shape.c, [&](int64_t group) {
    double* const mean = means.at(group);
    double* const square = squares.at(group);
    std::fill_n(mean, shape.c, 0.0);
    std::fill_n(square, shape.c, 0.0);
    int64_t done = 0;
    for (int64_t i = group * segments; i < (group + 1) * segments; ++i) {
      const TileRows rows = blocks.segment(i).rows;
      const int64_t first = 2 * rows.first, end = std::min(shape.h, 2 * (rows.first + rows.count));
      const float* const center = sums.as<float>() + i * 3 * shape.c;
      loops_.merge_sums(mean, square, done, center, center + shape.c, center + 2 * shape.c, (end - first) * shape.w,
                        shape.c);
      done += (end - first) * shape.w;
    }
    for (int64_t c = 0; c < shape.c; ++c) {
      const double variance = square[c] / static_cast<double>(divisor);
      op.mean.as<float>()[group * shape.c + c] = static_cast<float>(mean[c]);
      op.spread.as<float>()[group * shape.c + c] = static_cast<float>(per_sample ? std::sqrt(variance) : variance);
    }
  });
}

template <class A>
void Winograd::data_gradient(const Tensor& d_y, const SampleAffine& affine, const Tensor& weight, const Tensor& d_x) {
  const Shape& shape = d_x.shape;
  const TileBlocks blocks(shape.n, shape.h, shape.w, most_tiles, omp_get_max_threads());
  convolve<A>(d_y, affine, weight, true, blocks,
              [&](int64_t i, const TilePlanes<const float>& tiles, int64_t first, int64_t channels) {
                const TileSegment segment = blocks.segment(i);
                outputs<A>().output_tiles(
                    tiles, segment.rows, first, channels, nullptr,
                    {d_x.as<A>() + segment.sample * shape.features(), shape.h, shape.w, shape.c}, {});
              });
}

template <class A>
void Winograd::hidden_gradient(const HiddenGradient& op, const Tensor& d_z, const SampleAffine& affine,
                               const float* factors) {
  const Shape& shape = op.h.shape;
  const TileBlocks blocks(shape.n, shape.h, shape.w, most_tiles, omp_get_max_threads());
  Room<float> sums(arena_, op.y ? blocks.segments() : 1, 2 * shape.c);
  const auto at = [](const Tensor& tensor, int64_t sample) -> const A* {
    return tensor ? tensor.as<A>() + sample * tensor.shape.features() : nullptr;
  };
  const auto tiles_of = [&](int64_t i) {
    const int64_t n = blocks.segment(i).sample;
    HiddenTiles<A> tiles;
    tiles.g = op.g.as<A>() + n * shape.features();
    tiles.h = at(op.h, n);
    tiles.negative_slope = static_cast<float>(op.negative_slope);
    tiles.d_h = at(op.d_h, n);
    tiles.d_pooled = at(op.d_pooled, n);
    tiles.kernel_height = op.average_pooling.kernel_height;
    tiles.kernel_width = op.average_pooling.kernel_width;
    tiles.padding_height = op.average_pooling.padding_height;
    tiles.padding_width = op.average_pooling.padding_width;
    tiles.window_rows = op.d_pooled.shape.h;
    tiles.window_columns = op.d_pooled.shape.w;
    tiles.d_output = at(op.d_output, n);
    tiles.factor = factors == nullptr ? nullptr : factors + n * shape.c;
    tiles.max_pool = op.max_pool;
    tiles.y = at(op.y, n);
    tiles.mean = op.mean_y.as<float>();
    if (op.y) tiles.sum_g = sums.at(i), tiles.sum_gy = sums.at(i) + shape.c;
    return tiles;
  };
  convolve<A>(d_z, affine, op.similarity_weight, true, blocks,
              [&](int64_t i, const TilePlanes<const float>& planes, int64_t first, int64_t channels) {
                const HiddenTiles<A> tiles = tiles_of(i);
                if (op.y) std::fill_n(tiles.sum_g + first, channels, 0.0f);
                if (op.y) std::fill_n(tiles.sum_gy + first, channels, 0.0f);
                outputs<A>().hidden_tiles(planes, blocks.segment(i).rows, first, channels,
                                             {tiles.g, shape.h, shape.w, shape.c}, tiles);
              });
  if (!op.y) return;
  const ArenaTensor totals = arena_.take(DataType::float64, Shape::vector(2 * shape.c));
  double* const total = totals.view().as<double>();
  std::fill_n(total, 2 * shape.c, 0.0);
  for (int64_t i = 0; i < blocks.segments(); ++i) loops_.fold(total, sums.at(i), 2 * shape.c);
  for (int64_t c = 0; c < shape.c; ++c) {
    const double inverse = 1 / std::sqrt(op.variance_y.as<float>()[c] + batch_norm_epsilon);
    op.d_shift.as<float>()[c] = static_cast<float>(total[c]);
    op.d_scale.as<float>()[c] = static_cast<float>(total[shape.c + c] * inverse);
  }
}

#define LAYERWISE_WINOGRAD_OF(A)                                                                                   \
  template void Winograd::forward<A>(const ConvolutionForward&);                                                   \
  template void Winograd::data_gradient<A>(const Tensor&, const SampleAffine&, const Tensor&, const Tensor&);      \
  template void Winograd::hidden_gradient<A>(const HiddenGradient&, const Tensor&, const SampleAffine&, const float*);
LAYERWISE_WINOGRAD_OF(float)
LAYERWISE_WINOGRAD_OF(Bfloat16)
#undef LAYERWISE_WINOGRAD_OF

}  // namespace layerwise::cpu
