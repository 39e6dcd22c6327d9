// Philox 4x32-10, the counter-based random numbers of Salmon, Moraes, Dror and Shaw ("Parallel random
// numbers: as easy as 1, 2, 3", SC 2011). A value depends on nothing but its key and its index, so
// that masks and crops are the same on every backend and for every number of threads.
#pragma once

#include <cstdint>

#include "core/host_device.h"

namespace layerwise {

/// What a random number is for; part of its key, so that uses never share a sequence.
enum class RandomPurpose : uint32_t { initialisation = 1, dropout = 2, augmentation = 3, alternating_flip = 4, mixing = 5 };

/// Names one sequence of random numbers: (seed, purpose, block, step).
/// `stream` is the block's index, for initialisation the block's index · 64 + the parameter's index,
/// for augmentation the image's position in its batch, for alternating_flip its number in the data set; mixing has one
/// sequence per step.
struct RandomKey {
  uint64_t seed = 0;
  RandomPurpose purpose = RandomPurpose::initialisation;
  uint32_t stream = 0;
  uint64_t step = 0;
};

struct PhiloxWords {
  uint32_t word[4];
};

/// The ten rounds. `counter` is consumed by value; key words are bumped by the Weyl constants.
LAYERWISE_HOST_DEVICE inline PhiloxWords philox(PhiloxWords counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = static_cast<uint64_t>(0xD2511F53u) * counter.word[0];
    const uint64_t product1 = static_cast<uint64_t>(0xCD9E8D57u) * counter.word[2];
    counter = {{static_cast<uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(product1),
                static_cast<uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// Words 4·index … 4·index + 3 of the sequence `key` names (index < 2³²).
/// Counter words: index, low step, high step (24 bits) with purpose (8 bits), stream; key: the seed.
LAYERWISE_HOST_DEVICE inline PhiloxWords random_words(const RandomKey& key, uint64_t index) {
  const uint32_t tag = (static_cast<uint32_t>(key.step >> 32) << 8) | static_cast<uint32_t>(key.purpose);
  return philox({{static_cast<uint32_t>(index), static_cast<uint32_t>(key.step), tag, key.stream}},
                static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32));
}

/// The 32-bit word number `index` of the sequence.
LAYERWISE_HOST_DEVICE inline uint32_t random_word(const RandomKey& key, uint64_t index) {
  return random_words(key, index >> 2).word[index & 3];
}

/// A uniform integer in [0, range), by multiplication (bias below range / 2³²).
LAYERWISE_HOST_DEVICE inline uint32_t random_below(uint32_t word, uint32_t range) {
  return static_cast<uint32_t>((static_cast<uint64_t>(word) * range) >> 32);
}

/// A uniform number in [0, 1) with 24 random bits.
LAYERWISE_HOST_DEVICE inline double random_unit(uint32_t word) { return (word >> 8) * (1.0 / 16777216.0); }

/// The word below which an element is dropped, so that P(dropped) = probability. One integer
/// comparison per element: the same mask on every backend.
LAYERWISE_HOST_DEVICE inline uint32_t dropout_threshold(double probability) {
  return static_cast<uint32_t>(probability * 4294967296.0);
}

/// Whether alternating flips mirror an image of a data set in an epoch, counted from 1: half of the images, drawn once, in
/// odd epochs, and the others in even ones. Any two epochs in a row show every image both ways.
LAYERWISE_HOST_DEVICE inline bool is_alternately_flipped(uint64_t seed, uint32_t image, uint64_t epoch) {
  const bool in_odd_epochs = random_words({seed, RandomPurpose::alternating_flip, image, 0}, 0).word[0] < 0x80000000u;
  return in_odd_epochs == (epoch % 2 == 1);
}

}  // namespace layerwise
