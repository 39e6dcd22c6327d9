// From bytes to a batch of augmented, normalised images.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"
#include "core/philox.h"

namespace layerwise::cpu {

namespace {

constexpr int64_t byte_values = 256;

void put(double value, float* to) { *to = static_cast<float>(value); }
void put(double value, Bfloat16* to) { *to = to_bfloat16(static_cast<float>(value)); }

/// The normalised value of each byte, per channel: element channel · 256 + byte.
template <class A>
ArenaTensor normalized_bytes(Device& device, const LoadBatch& op) {
  const int64_t channels = op.pixels.shape.c;
  ArenaTensor table = device.arena.take(op.images.type, Shape::matrix(channels, byte_values));
  for (int64_t c = 0; c < channels; ++c) {
    const double mean = op.mean.as<float>()[c], deviation = op.deviation.as<float>()[c];
    for (int64_t byte = 0; byte < byte_values; ++byte)
      put((static_cast<double>(byte) / 255 - mean) / deviation, table.view().as<A>() + c * byte_values + byte);
  }
  return table;
}

/// Sets the part of the hole around (row, column) that lies in the image to 0.
template <class A>
void cut_hole(A* image, const Shape& shape, int64_t row, int64_t column, int64_t length) {
  const int64_t top = std::max<int64_t>(0, row - length / 2), bottom = std::min(shape.h, row + length / 2);
  const int64_t left = std::max<int64_t>(0, column - length / 2), right = std::min(shape.w, column + length / 2);
  for (int64_t y = top; y < bottom; ++y)
    if (left < right) std::fill_n(image + (y * shape.w + left) * shape.c, (right - left) * shape.c, A{});
}

/// A row of the image from the row of the source that it shows, in the first channel's plane (null: it lies in the
/// frame, which is black). channels: their number, where the compiler may know it; else 0.
template <int64_t channels, class A>
void load_image_row(const uint8_t* source, const Shape& shape, int64_t column_offset, bool flipped, const A* table,
                    A* row) {
  const int64_t count = channels > 0 ? channels : shape.c, plane = shape.positions();
  const auto put_frame = [&](int64_t begin, int64_t end) {
    for (int64_t x = begin; x < end; ++x)
      for (int64_t c = 0; c < count; ++c) row[x * count + c] = table[c * byte_values];
  };
  // Output column x shows source column first + step · x.
  const int64_t step = flipped ? -1 : 1, first = (flipped ? shape.w - 1 : 0) + column_offset;
  const int64_t before = flipped ? column_offset : -column_offset;  // columns of the frame on the left
  const int64_t begin = source == nullptr ? shape.w : std::clamp<int64_t>(before, 0, shape.w);
  const int64_t end = source == nullptr ? shape.w : std::clamp<int64_t>(shape.w + before, 0, shape.w);
  put_frame(0, begin);
  for (int64_t x = begin; x < end; ++x) {
    const uint8_t* const pixel = source + first + step * x;
    for (int64_t c = 0; c < count; ++c) row[x * count + c] = table[c * byte_values + pixel[c * plane]];
  }
  put_frame(end, shape.w);
}

/// Image i of the batch: crop, flip and normalisation in one reading, then the holes.
template <class A>
void load_image(const LoadBatch& op, const StepState& step, const A* table, int64_t i) {
  const Shape& shape = op.images.shape;
  const Augmentation& augmentation = op.augmentation;
  const RandomKey key{step.seed, RandomPurpose::augmentation, static_cast<uint32_t>(step.first_sample + i),
                      step.step};
  const auto frame = static_cast<uint32_t>(2 * augmentation.crop_padding + 1);
  const int64_t row_offset = random_below(random_word(key, 0), frame) - augmentation.crop_padding;
  const int64_t column_offset = random_below(random_word(key, 1), frame) - augmentation.crop_padding;
  const int32_t index = op.indices.as<int32_t>()[i];
  bool flipped = augmentation.horizontal_flip == HorizontalFlip::random && random_word(key, 2) < 0x80000000u;
  if (augmentation.horizontal_flip == HorizontalFlip::alternating)
    flipped = is_alternately_flipped(step.seed, static_cast<uint32_t>(index), step.epoch);

  const uint8_t* const source = op.pixels.as<uint8_t>() + index * shape.features();
  A* const image = op.images.as<A>() + i * shape.features();
  const auto load_row = shape.c == 1 ? load_image_row<1, A> : shape.c == 3 ? load_image_row<3, A> : load_image_row<0, A>;
  for (int64_t y = 0; y < shape.h; ++y) {
    const int64_t source_y = y + row_offset;
    const bool inside = source_y >= 0 && source_y < shape.h;
    load_row(inside ? source + source_y * shape.w : nullptr, shape, column_offset, flipped, table,
             image + y * shape.w * shape.c);
  }
  for (int64_t hole = 0; hole < augmentation.holes; ++hole) {
    const uint64_t word = 3 + 2 * static_cast<uint64_t>(hole);
    const int64_t row = random_below(random_word(key, word), static_cast<uint32_t>(shape.h));
    const int64_t column = random_below(random_word(key, word + 1), static_cast<uint32_t>(shape.w));
    cut_hole(image, shape, row, column, augmentation.hole_length);
  }
}

}  // namespace

void load_batch(Device& device, const LoadBatch& op) {
  const int64_t samples = op.images.shape.n;
  with_storage(op.images.type, [&](auto a) {
    const ArenaTensor table = normalized_bytes<decltype(a)>(device, op);
    const auto* const values = table.view().as<decltype(a)>();
    parallel_items(samples, op.images.shape.features(), [&](int64_t i) { load_image(op, device.step, values, i); });
  });
  for (int64_t i = 0; i < samples; ++i)
    op.labels.as<int32_t>()[i] = op.dataset_labels.as<int32_t>()[op.indices.as<int32_t>()[i]];
}

}  // namespace layerwise::cpu
