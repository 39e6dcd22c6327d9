// Normalisation, activation, pooling, dropout. Compiled once per vector extension; see loops.h.
#include "backend/cpu/loops.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

template <bool normalized, bool with_shortcut>
void normalize_activate_as(const float* __restrict y, const float* __restrict mean,
                           const float* __restrict multiplier, const float* __restrict shift,
                           const float* __restrict shortcut, float negative_slope, int64_t positions,
                           int64_t channels, float* __restrict h) {
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = p * channels + c;
      float value = y[i];
      if (normalized) value = (value - mean[c]) * multiplier[c] + shift[c];
      if (with_shortcut) value += shortcut[i];
      h[i] = value > 0 ? value : negative_slope * value;
    }
}

void normalize_activate(const float* y, const float* mean, const float* multiplier, const float* shift,
                        const float* shortcut, float negative_slope, int64_t positions, int64_t channels, float* h) {
  const auto loop = mean != nullptr
                        ? (shortcut != nullptr ? normalize_activate_as<true, true> : normalize_activate_as<true, false>)
                        : (shortcut != nullptr ? normalize_activate_as<false, true>
                                               : normalize_activate_as<false, false>);
  loop(y, mean, multiplier, shift, shortcut, negative_slope, positions, channels, h);
}

void average_pool_row(const float* __restrict h, int64_t width, int64_t channels, int64_t kernel, int64_t padding,
                      int64_t windows, float weight, float* __restrict pooled) {
  for (int64_t x = 0; x < width; ++x) {
    const int64_t window = (x + padding) / kernel;
    if (window >= windows) break;
    for (int64_t c = 0; c < channels; ++c) pooled[window * channels + c] += weight * h[x * channels + c];
  }
}

float larger(float a, float b) { return b > a ? b : a; }

void max_pool_rows(const float* __restrict upper, const float* __restrict lower, const float* __restrict factor,
                   int64_t windows, int64_t channels, float* __restrict output) {
  for (int64_t j = 0; j < windows; ++j) {
    const float* a = upper + 2 * j * channels;
    const float* b = lower + 2 * j * channels;
    // A factor is not negative, so that the maximum may be taken before it is applied.
    for (int64_t c = 0; c < channels; ++c)
      output[j * channels + c] = larger(larger(a[c], a[channels + c]), larger(b[c], b[channels + c]));
    if (factor != nullptr)
      for (int64_t c = 0; c < channels; ++c) output[j * channels + c] *= factor[c];
  }
}

void scale_channels(const float* __restrict h, const float* __restrict factor, int64_t positions, int64_t channels,
                    float* __restrict output) {
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t c = 0; c < channels; ++c) output[p * channels + c] = h[p * channels + c] * factor[c];
}

constexpr int64_t lanes = 64;  // Philox counters worked on side by side: several vector registers of them

/// The four words of consecutive counters: core/philox.h's ten rounds, lane by lane.
struct PhiloxLanes {
  uint32_t word0[lanes], word1[lanes], word2[lanes], word3[lanes];

  void fill(const DropoutSequence& sequence, uint32_t first) {
    for (int64_t i = 0; i < lanes; ++i) {
      word0[i] = first + static_cast<uint32_t>(i);
      word1[i] = sequence.counter[0];
      word2[i] = sequence.counter[1];
      word3[i] = sequence.counter[2];
    }
    uint32_t key0 = sequence.key[0], key1 = sequence.key[1];
    for (int round = 0; round < 10; ++round) {
      for (int64_t i = 0; i < lanes; ++i) {
        const uint64_t product0 = static_cast<uint64_t>(0xD2511F53u) * word0[i];
        const uint64_t product1 = static_cast<uint64_t>(0xCD9E8D57u) * word2[i];
        word0[i] = static_cast<uint32_t>(product1 >> 32) ^ word1[i] ^ key0;
        word1[i] = static_cast<uint32_t>(product1);
        word2[i] = static_cast<uint32_t>(product0 >> 32) ^ word3[i] ^ key1;
        word3[i] = static_cast<uint32_t>(product0);
      }
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
  }
};

/// The factors of 4 · lanes elements from the words of their counters.
void factors_of(const PhiloxLanes& words, uint32_t threshold, float kept, float* __restrict factors) {
  for (int64_t i = 0; i < lanes; ++i) {
    factors[4 * i] = words.word0[i] < threshold ? 0 : kept;
    factors[4 * i + 1] = words.word1[i] < threshold ? 0 : kept;
    factors[4 * i + 2] = words.word2[i] < threshold ? 0 : kept;
    factors[4 * i + 3] = words.word3[i] < threshold ? 0 : kept;
  }
}

void dropout_factors(const DropoutSequence& sequence, int64_t first, int64_t count, float* __restrict factors) {
  constexpr int64_t block = 4 * lanes;
  PhiloxLanes words;
  int64_t done = 0;
  for (; done + block <= count; done += block) {
    words.fill(sequence, static_cast<uint32_t>((first + done) / 4));
    factors_of(words, sequence.threshold, sequence.kept, factors + done);
  }
  if (done == count) return;
  float rest[block];
  words.fill(sequence, static_cast<uint32_t>((first + done) / 4));
  factors_of(words, sequence.threshold, sequence.kept, rest);
  for (int64_t i = 0; done + i < count; ++i) factors[done + i] = rest[i];
}

}  // namespace

void set_forward_loops(Loops& loops) {
  loops.normalize_activate = normalize_activate;
  loops.average_pool_row = average_pool_row;
  loops.max_pool_rows = max_pool_rows;
  loops.scale_channels = scale_channels;
  loops.dropout_factors = dropout_factors;
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
