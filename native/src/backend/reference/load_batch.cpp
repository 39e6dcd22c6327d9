#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

namespace {

/// Where the augmented image's pixels come from: source = row + row_offset, and the same for columns,
/// which are mirrored first where flipped.
struct Draw {
  int64_t row_offset = 0, column_offset = 0;
  bool flipped = false;
};

/// `image`: its number in the data set.
Draw draw_augmentation(const Augmentation& augmentation, const RandomKey& key, int64_t image, uint64_t epoch) {
  Draw draw;
  if (augmentation.crop_padding > 0) {
    const uint32_t range = static_cast<uint32_t>(2 * augmentation.crop_padding + 1);
    draw.row_offset = random_below(random_word(key, 0), range) - augmentation.crop_padding;
    draw.column_offset = random_below(random_word(key, 1), range) - augmentation.crop_padding;
  }
  switch (augmentation.horizontal_flip) {
    case HorizontalFlip::none: break;
    case HorizontalFlip::random: draw.flipped = random_word(key, 2) < 0x80000000u; break;
    case HorizontalFlip::alternating:
      draw.flipped = is_alternately_flipped(key.seed, static_cast<uint32_t>(image), epoch);
      break;
  }
  return draw;
}

/// Sets the holes of image i to 0.
void cut_out(const Augmentation& augmentation, const RandomKey& key, const Tensor& images_tensor, int64_t i) {
  const Shape shape = images_tensor.shape;
  const Elements images(images_tensor);
  const int64_t half = augmentation.hole_length / 2;
  for (int64_t hole = 0; hole < augmentation.holes; ++hole) {
    const uint64_t word = static_cast<uint64_t>(3 + 2 * hole);
    const int64_t row = random_below(random_word(key, word), static_cast<uint32_t>(shape.h));
    const int64_t column = random_below(random_word(key, word + 1), static_cast<uint32_t>(shape.w));
    for (int64_t h = std::max<int64_t>(row - half, 0); h < std::min(row + half, shape.h); ++h)
      for (int64_t w = std::max<int64_t>(column - half, 0); w < std::min(column + half, shape.w); ++w)
        for (int64_t c = 0; c < shape.c; ++c) images(i, h, w, c) = 0;
  }
}

}  // namespace

void load_batch(const LoadBatch& op, const StepState& state) {
  const Shape shape = op.images.shape;
  const Elements images(op.images), mean(op.mean), deviation(op.deviation);
  for (int64_t i = 0; i < shape.n; ++i) {
    const int64_t index = op.indices.as<int32_t>()[i];
    op.labels.as<int32_t>()[i] = op.dataset_labels.as<int32_t>()[index];
    const uint8_t* pixels = op.pixels.as<uint8_t>() + index * shape.features();
    const RandomKey key{state.seed, RandomPurpose::augmentation, static_cast<uint32_t>(state.first_sample + i),
                        state.step};
    const Draw draw = draw_augmentation(op.augmentation, key, index, state.epoch);
    for (int64_t h = 0; h < shape.h; ++h) {
      for (int64_t w = 0; w < shape.w; ++w) {
        const int64_t row = h + draw.row_offset;
        const int64_t column = (draw.flipped ? shape.w - 1 - w : w) + draw.column_offset;
        const bool inside = row >= 0 && row < shape.h && column >= 0 && column < shape.w;
        for (int64_t c = 0; c < shape.c; ++c) {
          const double byte = inside ? pixels[(c * shape.h + row) * shape.w + column] : 0;
          images(i, h, w, c) = (byte / 255 - mean[c]) / deviation[c];
        }
      }
    }
    cut_out(op.augmentation, key, op.images, i);
  }
}

}  // namespace reference
}  // namespace layerwise
