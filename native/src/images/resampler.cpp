#include "images/resampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "images/scratch_memory.h"

namespace layerwise {

namespace {

constexpr int colors = 3;
/// How far the sum of a box's edge and length may be off, in pixels.
constexpr double rounding = 1e-6;
/// Red, green, blue and a level that is not used.
typedef float Pixel __attribute__((vector_size(16), aligned(4), may_alias));
constexpr int pixel_lanes = 4;

/// For each output position along an axis, the input positions that count: from first on, one for each weight.
struct Axis {
  std::vector<int> first;
  std::vector<int> begin;  // of its weights; one more than there are positions
  std::vector<float> weights;

  Axis(double start, double length, int size, int input_size) {
    const double scale = length / size;
    const double reach = std::max(scale, 1.0);
    std::vector<double> triangle;
    begin.push_back(0);
    for (int i = 0; i < size; ++i) {
      const double center = start + (i + 0.5) * scale;
      const int from = std::max(static_cast<int>(std::floor(center - reach + 0.5)), 0);
      const int to = std::min(static_cast<int>(std::floor(center + reach + 0.5)), input_size);
      double sum = 0;
      triangle.clear();
      for (int k = from; k < to; ++k) {
        triangle.push_back(std::max(0.0, 1 - std::abs(k + 0.5 - center) / reach));
        sum += triangle.back();
      }
      first.push_back(from);
      for (const double weight : triangle) weights.push_back(static_cast<float>(weight / sum));
      begin.push_back(static_cast<int>(weights.size()));
    }
  }

  int taps(int position) const { return begin[position + 1] - begin[position]; }
};

/// A row of the box as one pixel for each column of the output: size pixels of four lanes.
///
/// @param levels for a row of the image, and a pixel more
void narrow(const uint8_t* row, int width, const Axis& columns, int size, float* levels, float* narrowed) {
  const int first = columns.first.front();
  const int end = std::min(width, columns.first.back() + columns.taps(size - 1));
  const uint8_t* from = row + first * colors;
  const int count = (end - first) * colors;
  for (int i = 0; i < count; ++i) levels[i] = from[i];
  for (int x = 0; x < size; ++x) {
    const float* level = levels + (columns.first[x] - first) * colors;
    const float* weight = columns.weights.data() + columns.begin[x];
    const float* const last = columns.weights.data() + columns.begin[x + 1];
    Pixel sum = {0, 0, 0, 0};
    for (; weight != last; ++weight, level += colors) {
      Pixel pixel;
      std::memcpy(&pixel, level, sizeof pixel);
      sum += *weight * pixel;
    }
    std::memcpy(narrowed + x * pixel_lanes, &sum, sizeof sum);
  }
}

uint8_t rounded(float level) {
  return static_cast<uint8_t>(std::min(255.0f, std::max(0.0f, level + 0.5f)));  // weights sum to 1 but for rounding
}

}  // namespace

void resample(const RgbImage& image, const Box& box, int size, bool flip, uint8_t* planes) {
  require(image.height > 0 && image.width > 0 && size > 0, "an image of ", image.height, "×", image.width,
          " pixels cannot be resized to ", size);
  require(box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0 &&
              box.top + box.height <= image.height + rounding && box.left + box.width <= image.width + rounding,
          "the box does not lie in the image of ", image.height, "×", image.width, " pixels");
  const Axis rows(box.top, box.height, size, image.height);
  const Axis columns(box.left, box.width, size, image.width);
  const int first_row = rows.first.front();
  const int row_count = rows.first.back() + rows.taps(size - 1) - first_row;
  const size_t row_lanes = static_cast<size_t>(size) * pixel_lanes;
  thread_local ScratchMemory<float> scratch;
  const size_t level_count = static_cast<size_t>(image.width) * colors + pixel_lanes;
  float* const levels = scratch.get(level_count + row_lanes * (static_cast<size_t>(row_count) + 1));
  float* const sums = levels + level_count;
  float* const narrowed = sums + row_lanes;
  std::fill_n(levels, level_count, 0.0f);  // the lane that is not used takes levels beyond the row's end
  for (int row = 0; row < row_count; ++row)
    narrow(image.levels + static_cast<size_t>(first_row + row) * image.width * colors, image.width, columns, size, levels,
           narrowed + row_lanes * row);

  const size_t plane = static_cast<size_t>(size) * size;
  for (int y = 0; y < size; ++y) {
    std::fill_n(sums, row_lanes, 0.0f);
    const float* from = narrowed + row_lanes * (rows.first[y] - first_row);
    for (int k = 0; k < rows.taps(y); ++k, from += row_lanes) {
      const float weight = rows.weights[rows.begin[y] + k];
      for (size_t i = 0; i < row_lanes; ++i) sums[i] += weight * from[i];
    }
    for (int x = 0; x < size; ++x) {
      const size_t at = static_cast<size_t>(y) * size + (flip ? size - 1 - x : x);
      for (int color = 0; color < colors; ++color) planes[color * plane + at] = rounded(sums[x * pixel_lanes + color]);
    }
  }
}

}  // namespace layerwise
