// Philox 4x32-10 against the known-answer vectors of the Random123 distribution (kat_vectors, D. E. Shaw
// Research), and what the library draws from it.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "core/mixing.h"
#include "core/philox.h"

namespace layerwise::test {

namespace {

std::vector<uint32_t> words(const PhiloxWords& drawn) { return std::vector<uint32_t>(drawn.word, drawn.word + 4); }

/// Five standard deviations of the share of successes among `count` draws: a correct generator misses
/// it once in two million seeds, and the seeds here are fixed.
double five_sigma(double probability, double count) {
  return 5 * std::sqrt(probability * (1 - probability) / count);
}

}  // namespace

TEST(Philox, known_answers) {
  const std::vector<uint32_t> zeros = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  EXPECT_EQ(words(philox({{0, 0, 0, 0}}, 0, 0)), zeros);

  const uint32_t all = 0xffffffff;
  const std::vector<uint32_t> ones = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  EXPECT_EQ(words(philox({{all, all, all, all}}, all, all)), ones);

  const std::vector<uint32_t> pi = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  EXPECT_EQ(words(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0)), pi);
}

TEST(Philox, key_and_index_fill_counter_and_key) {
  const RandomKey key{0x0123456789abcdefu, RandomPurpose::dropout, 77, 0x0000'1234'5678'9abcu};
  const PhiloxWords expected =
      philox({{42, 0x56789abc, (0x1234u << 8) | 2u, 77}}, 0x89abcdef, 0x01234567);
  EXPECT_EQ(words(random_words(key, 42)), words(expected));
  for (uint32_t i = 0; i < 4; ++i) EXPECT_EQ(random_word(key, 4 * 42 + i), expected.word[i]);
}

TEST(Philox, sequences_differ_in_every_part_of_the_key) {
  const RandomKey base{1, RandomPurpose::initialisation, 2, 3};
  std::vector<RandomKey> keys(8, base);
  keys[1].seed = 2;
  keys[2].seed = 1 + (uint64_t{1} << 32);
  keys[3].purpose = RandomPurpose::dropout;
  keys[4].purpose = RandomPurpose::augmentation;
  keys[5].stream = 3;
  keys[6].step = 4;
  keys[7].step = 3 + (uint64_t{1} << 32);
  std::set<std::vector<uint32_t>> distinct;
  for (const RandomKey& key : keys) distinct.insert(words(random_words(key, 0)));
  EXPECT_EQ(distinct.size(), keys.size());
}

TEST(Philox, alternating_flips_show_every_image_both_ways_in_any_two_epochs) {
  const int images = 4000;
  int flipped = 0, as_with_another_seed = 0;
  for (uint32_t image = 0; image < images; ++image) {
    for (uint64_t epoch = 1; epoch < 6; ++epoch)
      EXPECT_NE(is_alternately_flipped(7, image, epoch), is_alternately_flipped(7, image, epoch + 1)) << image;
    flipped += is_alternately_flipped(7, image, 1);
    as_with_another_seed += is_alternately_flipped(7, image, 1) == is_alternately_flipped(8, image, 1);
  }
  EXPECT_NEAR(flipped / 4000.0, 0.5, five_sigma(0.5, images));
  EXPECT_NEAR(as_with_another_seed / 4000.0, 0.5, five_sigma(0.5, images));
}

TEST(Philox, dropout_drops_the_share_asked_for) {
  const int count = 100000;
  for (const double probability : {0.0, 0.025, 0.1, 0.5, 0.99}) {
    const RandomKey key{20190118, RandomPurpose::dropout, 4, 10};
    const uint32_t threshold = dropout_threshold(probability);
    int dropped = 0;
    for (int i = 0; i < count; ++i) dropped += random_word(key, static_cast<uint64_t>(i)) < threshold;
    const double error = std::abs(static_cast<double>(dropped) / count - probability);
    EXPECT_TRUE(error <= five_sigma(probability, count)) << probability << ": " << dropped << " of " << count;
  }
}

TEST(Philox, integers_below_a_range_are_uniform) {
  const int count = 100000;
  const uint32_t range = 9;
  const RandomKey key{1, RandomPurpose::augmentation, 0, 0};
  std::vector<int> seen(range, 0);
  for (int i = 0; i < count; ++i) {
    const uint32_t value = random_below(random_word(key, static_cast<uint64_t>(i)), range);
    ASSERT_LT(value, range);
    ++seen[value];
  }
  for (const int times : seen) {
    const double error = std::abs(static_cast<double>(times) / count - 1.0 / range);
    EXPECT_TRUE(error <= five_sigma(1.0 / range, count)) << times << " of " << count;
  }
  EXPECT_EQ(random_below(0, range), 0u);
  EXPECT_EQ(random_below(0xffffffff, range), range - 1);
}

TEST(Philox, unit_interval_is_half_open_and_uniform) {
  EXPECT_EQ(random_unit(0), 0.0);
  EXPECT_EQ(random_unit(0xffffffff), 1 - std::exp2(-24));
  const int count = 100000;
  const RandomKey key{3, RandomPurpose::initialisation, 64, 0};
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double value = random_unit(random_word(key, static_cast<uint64_t>(i)));
    sum += value;
    squares += value * value;
  }
  // Variance of u is 1/12, of u² 4/45.
  EXPECT_TRUE(std::abs(sum / count - 1.0 / 2) <= 5 * std::sqrt(1.0 / 12 / count));
  EXPECT_TRUE(std::abs(squares / count - 1.0 / 3) <= 5 * std::sqrt(4.0 / 45 / count));
}

/// Beta(α, α) has mean 1/2, variance 1 / (4 (2α + 1)) and, about the mean, the fourth moment 3 / (16 (2α + 1) (2α + 3)).
TEST(Mixing, shares_have_the_moments_of_the_beta_distribution) {
  const int count = 100000;
  for (const double alpha : {0.05, 0.2, 0.5, 1.0, 8.0}) {
    double sum = 0, squares = 0;
    for (uint64_t step = 0; step < count; ++step) {
      const MixDraw draw = draw_mix({alpha, 0}, 7, step, 128, 32, 32);
      ASSERT_TRUE(draw.share >= 0 && draw.share <= 1) << draw.share;
      ASSERT_EQ(static_cast<double>(static_cast<float>(draw.share)), draw.share);
      ASSERT_FALSE(draw.pastes);
      sum += draw.share - 0.5;
      squares += (draw.share - 0.5) * (draw.share - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1)), fourth = 3 / (16 * (2 * alpha + 1) * (2 * alpha + 3));
    EXPECT_TRUE(std::abs(sum / count) <= 5 * std::sqrt(variance / count)) << alpha << ": " << sum / count;
    EXPECT_TRUE(std::abs(squares / count - variance) <= 5 * std::sqrt((fourth - variance * variance) / count))
        << alpha << ": " << squares / count << " for " << variance;
  }
}

/// Of Beta(1, 1) every tenth of the unit interval has a tenth; of Beta(1/2, 1/2), the arcsine distribution, the part below
/// x has (2/π) · asin(√x).
TEST(Mixing, shares_have_the_beta_distribution) {
  const int count = 100000;
  for (const double alpha : {0.5, 1.0}) {
    std::vector<int> below(11, 0);
    for (uint64_t step = 0; step < count; ++step)
      for (size_t i = 1; i <= 10; ++i) below[i] += draw_mix({alpha, 0}, 9, step, 2, 8, 8).share < 0.1 * static_cast<double>(i);
    for (size_t i = 1; i < 10; ++i) {
      const double x = 0.1 * static_cast<double>(i), wanted = alpha == 1 ? x : 2 / std::acos(-1.0) * std::asin(std::sqrt(x));
      EXPECT_NEAR(below[i] / static_cast<double>(count), wanted, five_sigma(wanted, count)) << alpha;
    }
  }
}

TEST(Mixing, boxes_lie_in_the_image_and_leave_the_share) {
  double area = 0;
  const int count = 20000;
  for (uint64_t step = 0; step < count; ++step) {
    const MixDraw draw = draw_mix({0, 1}, 7, step, 5, 24, 40);
    ASSERT_TRUE(draw.pastes);
    ASSERT_TRUE(0 <= draw.top && draw.top <= draw.bottom && draw.bottom <= 24) << draw.top << " " << draw.bottom;
    ASSERT_TRUE(0 <= draw.left && draw.left <= draw.right && draw.right <= 40) << draw.left << " " << draw.right;
    const double left_over = 1 - static_cast<double>((draw.bottom - draw.top) * (draw.right - draw.left)) / (24 * 40);
    ASSERT_NEAR(draw.share, left_over, std::exp2(-25));
    area += 1 - left_over;
  }
  // Half of the image before it is clipped and rounded down; clipped, a side s has s − s²/4 of the image's.
  EXPECT_TRUE(area / count > 0.25 && area / count < 0.5) << area / count;
}

TEST(Mixing, every_sample_has_another_and_both_ways_of_mixing_occur) {
  std::vector<int> shifts(7, 0);
  int pasted = 0;
  const int count = 6000;
  for (uint64_t step = 0; step < count; ++step) {
    const MixDraw draw = draw_mix({0.4, 1}, 3, step, 7, 8, 8);
    ASSERT_TRUE(draw.shift >= 1 && draw.shift < 7);
    ++shifts[static_cast<size_t>(draw.shift)];
    pasted += draw.pastes;
  }
  EXPECT_EQ(shifts[0], 0);
  for (size_t shift = 1; shift < 7; ++shift) EXPECT_NEAR(shifts[shift] / 6000.0, 1 / 6.0, five_sigma(1 / 6.0, count));
  EXPECT_NEAR(pasted / 6000.0, 0.5, five_sigma(0.5, count));
  EXPECT_EQ(draw_mix({0.4, 1}, 3, 0, 1, 8, 8).shift, 0);
}

}  // namespace layerwise::test
