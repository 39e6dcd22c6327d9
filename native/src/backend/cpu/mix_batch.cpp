// Mixup and cutmix.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

float widened(float value) { return value; }
float widened(Bfloat16 value) { return to_float(value); }
void put(float value, float* to) { *to = value; }
void put(float value, Bfloat16* to) { *to = to_bfloat16(value); }

/// mixed = share · own + (1 − share) · other.
template <class A>
void blend(const A* own, const A* other, float share, int64_t count, A* mixed) {
  const float rest = 1 - share;
  for (int64_t i = 0; i < count; ++i) put(share * widened(own[i]) + rest * widened(other[i]), mixed + i);
}

/// mixed = own, but other within the box.
template <class A>
void paste(const A* own, const A* other, const MixDraw& draw, const Shape& shape, A* mixed) {
  std::copy_n(own, shape.features(), mixed);
  for (int64_t y = draw.top; y < draw.bottom; ++y) {
    const int64_t begin = (y * shape.w + draw.left) * shape.c, end = (y * shape.w + draw.right) * shape.c;
    std::copy(other + begin, other + end, mixed + begin);
  }
}

}  // namespace

void mix_batch(Device& device, const MixBatch& op) {
  const Shape& shape = op.mixed.shape;
  const int64_t samples = op.images.shape.n, features = shape.features(), classes = op.targets.shape.c;
  const MixDraw draw = draw_mix(op.mixing, device.step.seed, device.step.step, samples, shape.h, shape.w);
  const auto share = static_cast<float>(draw.share);
  with_storage(op.images.type, [&](auto a) {
    using A = decltype(a);
    parallel_items(shape.n, features, [&](int64_t row) {
      const int64_t own = op.first_row + row, other = (own + draw.shift) % samples;
      const A* const images = op.images.as<A>();
      A* const mixed = op.mixed.as<A>() + row * features;
      if (draw.pastes)
        paste(images + own * features, images + other * features, draw, shape, mixed);
      else
        blend(images + own * features, images + other * features, share, features, mixed);
    });
  });
  const int32_t* const labels = op.labels.as<int32_t>();
  std::fill_n(op.targets.as<float>(), op.targets.shape.elements(), 0.0f);
  for (int64_t row = 0; row < shape.n; ++row) {
    const int64_t own = op.first_row + row, other = (own + draw.shift) % samples;
    float* const target = op.targets.as<float>() + row * classes;
    target[labels[own]] += share;
    target[labels[other]] += 1 - share;
  }
}

}  // namespace layerwise::cpu
