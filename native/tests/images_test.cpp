// Resizing against a plain computation in double, and what decoding says of files that are none.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/error.h"
#include "images/jpeg_loader.h"
#include "images/resampler.h"

namespace layerwise {
namespace {

std::vector<uint8_t> noise(int count) {
  std::mt19937 random(3);
  std::vector<uint8_t> levels(count);
  for (auto& level : levels) level = static_cast<uint8_t>(random());
  return levels;
}

/// The weight of an input position for an output position, before the weights are divided by their sum.
double triangle(double position, double start, double scale, int output) {
  const double center = start + (output + 0.5) * scale;
  return std::max(0.0, 1 - std::abs(position + 0.5 - center) / std::max(scale, 1.0));
}

double plain(const RgbImage& image, const Box& box, int size, int y, int x, int color) {
  double sum = 0;
  double weights = 0;
  for (int row = 0; row < image.height; ++row) {
    for (int column = 0; column < image.width; ++column) {
      const double weight = triangle(row, box.top, box.height / size, y) * triangle(column, box.left, box.width / size, x);
      sum += weight * image.levels[(row * image.width + column) * 3 + color];
      weights += weight;
    }
  }
  return sum / weights;
}

TEST(Resampler, IsThePlainComputationRounded) {
  const std::vector<uint8_t> levels = noise(23 * 31 * 3);
  const RgbImage image{levels.data(), 23, 31};
  const Box boxes[] = {{0, 0, 23, 31}, {2, 1, 5, 5}, {0.25, 3.75, 20, 11}, {22, 30, 1, 1}, {0, 0, 1, 31}};
  for (const Box& box : boxes) {
    for (const int size : {1, 4, 9, 40}) {
      std::vector<uint8_t> planes(3 * size * size);
      std::vector<uint8_t> mirrored(planes.size());
      resample(image, box, size, false, planes.data());
      resample(image, box, size, true, mirrored.data());
      for (int color = 0; color < 3; ++color) {
        for (int y = 0; y < size; ++y) {
          for (int x = 0; x < size; ++x) {
            const int level = planes[(color * size + y) * size + x];
            // Half a level by rounding. In float: two sums of at most 63 levels, each product and sum off by 2^-24 of 255.
            ASSERT_NEAR(level, plain(image, box, size, y, x, color), 0.5 + 2 * 2 * 63 * 255 * std::pow(2, -24));
            ASSERT_EQ(level, mirrored[(color * size + y) * size + size - 1 - x]);
          }
        }
      }
    }
  }
}

TEST(Resampler, RejectsBoxesThatAreNotInTheImage) {
  const std::vector<uint8_t> levels = noise(4 * 4 * 3);
  uint8_t planes[3];
  const Box boxes[] = {{-1, 0, 2, 2}, {0, 0, 5, 4}, {0, 1, 4, 4}, {0, 0, 0, 4}, {NAN, 0, 1, 1}, {0, 0, 1, NAN}};
  for (const Box& box : boxes) EXPECT_THROW(resample({levels.data(), 4, 4}, box, 1, false, planes), Error);
  EXPECT_THROW(resample({levels.data(), 0, 4}, {0, 0, 1, 1}, 1, false, planes), Error);
  EXPECT_THROW(resample({levels.data(), 4, 4}, {0, 0, 1, 1}, 0, false, planes), Error);
}

/// The message of an error of this kind; anything else is a failure.
template <class Call>
std::string message(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Jpeg, SaysWhyAFileCannotBeUsed) {
  const uint8_t text[] = "no JPEG file";
  const uint8_t cut[] = {0xff, 0xd8, 0xff, 0xdb};
  uint8_t levels[3];
#ifdef LAYERWISE_JPEG
  EXPECT_NO_THROW(require_jpeg());
  const auto of_text = message(ErrorKind::invalid_argument, [&] {
    decode_jpeg({text, sizeof text, JpegColors::rgb, 1, 1}, levels);
  });
  EXPECT_NE(of_text.find("Not a JPEG file"), of_text.npos) << of_text;
  const auto of_cut = message(ErrorKind::invalid_argument, [&] {
    decode_jpeg({cut, sizeof cut, JpegColors::grey, 1, 1}, levels);
  });
  EXPECT_EQ(of_cut, "Premature end of JPEG file");
#else
  const auto missing = message(ErrorKind::device_unavailable, [&] {
    decode_jpeg({text, sizeof text, JpegColors::rgb, 1, 1}, levels);
  });
  EXPECT_NE(missing.find("liblayerwise_jpeg.so is missing; install libjpeg-turbo"), missing.npos) << missing;
  static_cast<void>(cut);
#endif
}

}  // namespace
}  // namespace layerwise
