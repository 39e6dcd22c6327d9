// Normalisation, activation, pooling, dropout. Compiled once per vector extension; see loops.h.
#include "backend/cpu/loops.h"
#include "backend/cpu/loops_vector_type.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

template <bool normalized, bool with_shortcut, class A>
void normalize_activate_as(const A* y, const float* mean, const float* multiplier, const float* shift,
                           const A* shortcut, float negative_slope, int64_t positions, int64_t channels, A* h) {
  for (int64_t p = 0; p < positions; ++p)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      const int64_t i = p * channels + c;
      V value = load<V>(y + i);
      if (normalized) value = (value - load<V>(mean + c)) * load<V>(multiplier + c) + load<V>(shift + c);
      if (with_shortcut) value += load<V>(shortcut + i);
      store(h + i, value > 0 ? value : negative_slope * value);
    });
}

template <class A>
void normalize_activate(const A* y, const float* mean, const float* multiplier, const float* shift, const A* shortcut,
                        float negative_slope, int64_t positions, int64_t channels, A* h) {
  const auto loop =
      mean != nullptr
          ? (shortcut != nullptr ? normalize_activate_as<true, true, A> : normalize_activate_as<true, false, A>)
          : (shortcut != nullptr ? normalize_activate_as<false, true, A> : normalize_activate_as<false, false, A>);
  loop(y, mean, multiplier, shift, shortcut, negative_slope, positions, channels, h);
}

template <class A>
void average_pool_row(const A* h, int64_t width, int64_t channels, int64_t kernel, int64_t padding, int64_t windows,
                      float weight, float* pooled) {
  for (int64_t x = 0; x < width; ++x) {
    const int64_t window = (x + padding) / kernel;
    if (window >= windows) break;
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      float* const sum = pooled + window * channels + c;
      store(sum, load<V>(sum) + weight * load<V>(h + x * channels + c));
    });
  }
}

template <class V>
inline __attribute__((always_inline)) V larger(V a, V b) {
  return b > a ? b : a;
}

template <bool scaled, class A>
void max_pool_rows_as(const A* upper, const A* lower, const float* factor, int64_t windows, int64_t channels,
                      A* output) {
  for (int64_t j = 0; j < windows; ++j)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      const int64_t left = 2 * j * channels + c, right = left + channels;
      V value = larger<V>(larger<V>(load<V>(upper + left), load<V>(upper + right)),
                          larger<V>(load<V>(lower + left), load<V>(lower + right)));
      // A factor is not negative, so that the maximum may be taken before it is applied.
      if (scaled) value *= load<V>(factor + c);
      store(output + j * channels + c, value);
    });
}

template <class A>
void max_pool_rows(const A* upper, const A* lower, const float* factor, int64_t windows, int64_t channels, A* output) {
  const auto loop = factor != nullptr ? max_pool_rows_as<true, A> : max_pool_rows_as<false, A>;
  loop(upper, lower, factor, windows, channels, output);
}

template <class A>
void scale_channels(const A* h, const float* factor, int64_t positions, int64_t channels, A* output) {
  for (int64_t p = 0; p < positions; ++p)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      store(output + p * channels + c, load<V>(h + p * channels + c) * load<V>(factor + c));
    });
}

constexpr int64_t counters = 64;  // of Philox, worked on side by side: several vector registers of them

/// The four words of consecutive counters: core/philox.h's ten rounds, counter by counter.
struct PhiloxCounters {
  uint32_t word0[counters], word1[counters], word2[counters], word3[counters];

  void fill(const DropoutSequence& sequence, uint32_t first) {
    for (int64_t i = 0; i < counters; ++i) {
      word0[i] = first + static_cast<uint32_t>(i);
      word1[i] = sequence.counter[0];
      word2[i] = sequence.counter[1];
      word3[i] = sequence.counter[2];
    }
    uint32_t key0 = sequence.key[0], key1 = sequence.key[1];
    for (int round = 0; round < 10; ++round) {
      for (int64_t i = 0; i < counters; ++i) {
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

/// The factors of 4 · counters elements from the words of their counters.
void factors_of(const PhiloxCounters& words, uint32_t threshold, float kept, float* __restrict factors) {
  for (int64_t i = 0; i < counters; ++i) {
    factors[4 * i] = words.word0[i] < threshold ? 0 : kept;
    factors[4 * i + 1] = words.word1[i] < threshold ? 0 : kept;
    factors[4 * i + 2] = words.word2[i] < threshold ? 0 : kept;
    factors[4 * i + 3] = words.word3[i] < threshold ? 0 : kept;
  }
}

void dropout_factors(const DropoutSequence& sequence, int64_t first, int64_t count, float* __restrict factors) {
  constexpr int64_t block = 4 * counters;
  PhiloxCounters words;
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

template <class A>
void set_forward_loops_of(StorageLoops<A>& loops) {
  loops.normalize_activate = normalize_activate<A>;
  loops.average_pool_row = average_pool_row<A>;
  loops.max_pool_rows = max_pool_rows<A>;
  loops.scale_channels = scale_channels<A>;
}

}  // namespace

void set_forward_loops(Loops& loops) {
  loops.dropout_factors = dropout_factors;
  set_forward_loops_of(loops.float32);
  set_forward_loops_of(loops.bfloat16);
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
