// How the images of a batch are mixed with each other: what mixup and cutmix draw, once for all devices.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/host_device.h"
#include "core/philox.h"

namespace layerwise {

/// Parameters of the symmetric beta distributions from which shares are drawn; 0: not that way of mixing. Where both are
/// given, each step takes one of the two, with probability 1/2.
struct Mixing {
  double mixup_alpha = 0, cutmix_alpha = 0;

  bool is_on() const { return mixup_alpha > 0 || cutmix_alpha > 0; }
};

/// What one step draws, for all of its images.
struct MixDraw {
  double share;              // of a sample's own class in its target; a multiple of 2⁻²⁴, so that float has it exactly
  int64_t shift;             // sample i of N is mixed with sample (i + shift) mod N
  bool pastes;               // cutmix: the other's pixels within the box replace the sample's own; otherwise mixup
  int64_t top, bottom, left, right;  // the box: rows from top to below bottom, columns likewise
};

/// A number of (0, 1), neither of them included, from a word.
LAYERWISE_HOST_DEVICE inline double open_unit(uint32_t word) { return (word + 0.5) * (1.0 / 4294967296.0); }

/// The nearest multiple of 2⁻²⁴.
LAYERWISE_HOST_DEVICE inline double to_24_bits(double value) {
  return std::floor(value * 16777216.0 + 0.5) * (1.0 / 16777216.0);
}

/// A number drawn from Beta(α, α). With U and V uniform, T = cos(2πV) · sqrt(2α (U^(−1/α) − 1)) has Student's distribution
/// with 2α degrees of freedom (Bailey, "Polar generation of random variates with the t-distribution", 1994), and
/// 1/2 + T / (2 · sqrt(2α + T²)) is Beta(α, α) (Devroye, "Non-uniform random variate generation", 1986, chapter IX.3).
LAYERWISE_HOST_DEVICE inline double symmetric_beta(double alpha, uint32_t first_word, uint32_t second_word) {
  const double power = std::pow(open_unit(first_word), 1 / alpha);  // 1 / (U^(−1/α) − 1) = power / (1 − power)
  const double cosine = std::cos(6.283185307179586 * open_unit(second_word));
  if (power >= 1) return 0.5;  // rounded: a large α
  return 0.5 + 0.5 * cosine / std::sqrt(power / (1 - power) + cosine * cosine);
}

/// The draw of the sequence {seed, mixing, 0, step} for N samples. Word 0: mixup where below 2³¹, if both are on; words 1
/// and 2: the number from Beta(α, α); word 3: shift, 1 + random_below(·, N − 1), or 0 for one sample; words 4 and 5: row
/// and column of the box's centre.
///
/// Mixup (Zhang et al., "mixup: Beyond empirical risk minimization", 2018) uses the number as the share. In cutmix (Yun et
/// al., "CutMix", 2019) the box has 1 − number of the image's area, is clipped to the image, and the share is what it
/// leaves of the image.
LAYERWISE_HOST_DEVICE inline MixDraw draw_mix(const Mixing& mixing, uint64_t seed, uint64_t step, int64_t samples,
                                              int64_t height, int64_t width) {
  const RandomKey key{seed, RandomPurpose::mixing, 0, step};
  const PhiloxWords words = random_words(key, 0), box = random_words(key, 1);
  MixDraw draw{};
  draw.pastes = mixing.mixup_alpha > 0 && mixing.cutmix_alpha > 0 ? words.word[0] >= 0x80000000u
                                                                  : mixing.cutmix_alpha > 0;
  if (samples > 1) draw.shift = 1 + random_below(words.word[3], static_cast<uint32_t>(samples - 1));
  const double number = symmetric_beta(draw.pastes ? mixing.cutmix_alpha : mixing.mixup_alpha, words.word[1], words.word[2]);
  if (!draw.pastes) {
    draw.share = to_24_bits(number);
    return draw;
  }
  const double half_side = 0.5 * std::sqrt(1 - to_24_bits(number));
  const int64_t half_height = static_cast<int64_t>(half_side * static_cast<double>(height));
  const int64_t half_width = static_cast<int64_t>(half_side * static_cast<double>(width));
  const int64_t row = random_below(box.word[0], static_cast<uint32_t>(height));
  const int64_t column = random_below(box.word[1], static_cast<uint32_t>(width));
  draw.top = row > half_height ? row - half_height : 0;
  draw.bottom = row + half_height < height ? row + half_height : height;
  draw.left = column > half_width ? column - half_width : 0;
  draw.right = column + half_width < width ? column + half_width : width;
  const double area = static_cast<double>((draw.bottom - draw.top) * (draw.right - draw.left));
  draw.share = to_24_bits(1 - area / static_cast<double>(height * width));
  return draw;
}

}  // namespace layerwise
