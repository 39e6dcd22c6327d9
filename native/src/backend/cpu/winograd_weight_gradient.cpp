// The weight gradient by Winograd's F(3×3, 2×2).
#include <omp.h>

#include <sstream>
#include <vector>

#include "backend/cpu/parallel.h"
#include "backend/cpu/winograd.h"

namespace layerwise::cpu {

namespace {

constexpr int64_t planes = 16;
constexpr int64_t tiles_per_segment = 16;  // transformed at a time, by one thread

/// Multiplied at a time, by all threads. More read and write the sums less often; fewer leave the transformed
/// tiles in a nearer cache. Where channels are few the sums are small.
int64_t tiles_per_chunk(int64_t inputs, int64_t outputs) { return inputs + outputs <= 512 ? 256 : 512; }

}  // namespace

// Chunk by chunk all threads transform tiles of x and d_y; then one call adds their 16 products, over the
// tiles of the chunk, to the sums. Chunks are whole segments and depend on the shapes alone.
template <class A, class P, class GradientTiles>
void Winograd::accumulate_weight_gradient(const Tensor& x, int64_t outputs, const GradientTiles& gradient_tiles,
                                          const Tensor& d_weight) {
  const WinogradInputLoops<A, P>& loops = this->inputs<A, P>();
  const Shape& shape = x.shape;
  const int64_t inputs = shape.c;
  const TileBlocks blocks(shape.n, shape.h, shape.w, tiles_per_segment, 1);
  const int64_t full_segment = blocks.tiles_of_full_block();
  const int64_t segments_per_chunk = std::max<int64_t>(1, tiles_per_chunk(inputs, outputs) / full_segment);
  const int64_t full = std::min(blocks.blocks(), segments_per_chunk) * full_segment;

  const auto describe = [&] {
    std::ostringstream text;
    text << "the Winograd weight gradient of " << shape.to_string() << " with " << outputs << " outputs";
    return text.str();
  };
  with_onednn_errors(describe, [&] {
    const int64_t x_stride = plane_stride<P>(full * inputs), y_stride = plane_stride<P>(full * outputs);
    const int64_t sum_stride = plane_stride<float>(outputs * inputs);
    const auto bytes = [](int64_t elements, size_t size) { return Shape::vector(elements * static_cast<int64_t>(size)); };
    const ArenaTensor x_planes = arena_.take(DataType::uint8, bytes(planes * x_stride, sizeof(P)));
    const ArenaTensor y_planes = arena_.take(DataType::uint8, bytes(planes * y_stride, sizeof(P)));
    const ArenaTensor sums = arena_.take(DataType::float32, Shape::vector(planes * sum_stride));

    for (int64_t first = 0; first < blocks.blocks(); first += segments_per_chunk) {
      const int64_t count = std::min(segments_per_chunk, blocks.blocks() - first);
      std::vector<int64_t> begin(static_cast<size_t>(count) + 1, 0);  // of each block's tiles
      for (int64_t i = 0; i < count; ++i) begin[i + 1] = begin[i] + blocks.tiles_of_block(first + i);
      parallel_items(count, planes * full_segment * (inputs + outputs), [&](int64_t i) {
        int64_t row = begin[i];
        for (int64_t s = blocks.first_segment(first + i); s < blocks.last_segment(first + i); ++s) {
          const TileSegment segment = blocks.segment(s);
          loops.input_tiles({x.as<A>() + segment.sample * shape.features(), shape.h, shape.w, inputs}, {}, segment.rows,
                            {x_planes.view().as<P>() + row * inputs, x_stride, inputs});
          gradient_tiles(segment, TilePlanes<P>{y_planes.view().as<P>() + row * outputs, y_stride, outputs});
          row += blocks.tiles(s);
        }
      });
      const WinogradProduct& product =
          products_.weight_gradient<P>(begin[count], outputs, inputs, full, first > 0);
      const ArenaTensor scratch = take_memory(arena_, product.scratchpad());
      product.execute(products_.engine(), products_.stream(), y_planes.view().data, x_planes.view().data,
                      sums.view().as<float>(), scratch.view().data);
    }
    parallel_items(outputs, planes * inputs, [&](int64_t o) {
      loops_.winograd_weight_gradient(sums.view().as<float>() + o * inputs, sum_stride, inputs,
                            d_weight.as<float>() + o * 9 * inputs);
    });
  });
}

template <class A>
void Winograd::weight_gradient(const Tensor& x, const Tensor& gradient, const SampleAffine& affine,
                               const Tensor& d_weight) {
  const Shape& shape = gradient.shape;
  with_planes<A>([&](auto plane) {
    using P = decltype(plane);
    const auto gradient_tiles = [&](const TileSegment& segment, const TilePlanes<P>& out) {
      const FeatureMap<const A> map{gradient.as<A>() + segment.sample * shape.features(), shape.h, shape.w, shape.c};
      inputs<A, P>().gradient_tiles(map, affine.of(segment.sample, shape.c), segment.rows, out);
    };
    accumulate_weight_gradient<A, P>(x, shape.c, gradient_tiles, d_weight);
  });
}

template <class A>
void Winograd::weight_gradient(const Tensor& x, const Tensor& g, const Tensor& y,
                               const BatchNormBackward<A>& coefficients, const Tensor& d_weight) {
  const Shape& shape = g.shape;
  with_planes<A>([&](auto plane) {
    using P = decltype(plane);
    const auto gradient_tiles = [&](const TileSegment& segment, const TilePlanes<P>& out) {
      const int64_t first = segment.sample * shape.features();
      BatchNormBackward<A> backward = coefficients;
      backward.y = y.as<A>() + first;
      inputs<A, P>().batch_norm_gradient_tiles({g.as<A>() + first, shape.h, shape.w, shape.c}, backward, segment.rows,
                                               out);
    };
    accumulate_weight_gradient<A, P>(x, shape.c, gradient_tiles, d_weight);
  });
}

#define LAYERWISE_WINOGRAD_OF(A)                                                                                  \
  template void Winograd::weight_gradient<A>(const Tensor&, const Tensor&, const SampleAffine&, const Tensor&);   \
  template void Winograd::weight_gradient<A>(const Tensor&, const Tensor&, const Tensor&,                         \
                                             const BatchNormBackward<A>&, const Tensor&);
LAYERWISE_WINOGRAD_OF(float)
LAYERWISE_WINOGRAD_OF(Bfloat16)
#undef LAYERWISE_WINOGRAD_OF

}  // namespace layerwise::cpu
