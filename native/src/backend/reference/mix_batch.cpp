#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void mix_batch(const MixBatch& op, const StepState& state) {
  const Shape shape = op.mixed.shape;
  const int64_t samples = op.images.shape.n;
  const MixDraw draw = draw_mix(op.mixing, state.seed, state.step, samples, shape.h, shape.w);
  const Elements images(op.images), mixed(op.mixed), targets(op.targets);
  const int32_t* const labels = op.labels.as<int32_t>();
  targets.fill(0);
  for (int64_t row = 0; row < shape.n; ++row) {
    const int64_t own = op.first_row + row, other = (own + draw.shift) % samples;
    targets(row, labels[own]) += draw.share;
    targets(row, labels[other]) += 1 - draw.share;
  }
  for_each_element(shape, [&](int64_t row, int64_t h, int64_t w, int64_t c) {
    const int64_t own = op.first_row + row, other = (own + draw.shift) % samples;
    const bool in_box = h >= draw.top && h < draw.bottom && w >= draw.left && w < draw.right;
    if (draw.pastes)
      mixed(row, h, w, c) = images(in_box ? other : own, h, w, c);
    else
      mixed(row, h, w, c) = draw.share * images(own, h, w, c) + (1 - draw.share) * images(other, h, w, c);
  });
}

}  // namespace reference
}  // namespace layerwise
