// Random factors of dropout.
#pragma once

#include "backend/backend.h"
#include "backend/cuda/device_code.h"

namespace layerwise::cuda {

struct DropoutArguments {
  uint32_t threshold = 0;  // dropped where the random word is below
  float kept = 1;          // the factor of what is not dropped
  uint32_t stream = 0;
  const StepState* step = nullptr;
};

inline DropoutArguments dropout_arguments(const Dropout& dropout, const StepState* step) {
  return {dropout_threshold(dropout.probability), static_cast<float>(1 / (1 - dropout.probability)), dropout.stream,
          step};
}

/// The factors of elements index … index + width − 1 of this process's samples, of `features` elements each: 0 or `kept`.
/// Both numbers are multiples of width, which is 1 or a multiple of 4, the number of words that Philox gives at once.
template <int width>
__device__ __forceinline__ void dropout_factors(const DropoutArguments& a, int64_t features, int64_t own_index,
                                                float (&factors)[width]) {
  static_assert(width == 1 || width % 4 == 0, "words come in fours");
  const auto index = static_cast<uint64_t>(a.step->first_sample * features + own_index);
  const RandomKey key{a.step->seed, RandomPurpose::dropout, a.stream, a.step->step};
  if constexpr (width == 1) {
    const PhiloxWords words = random_words(key, index / 4);
    uint32_t word = words.word[0];  // an index that is not known to the compiler would put the words in memory
    LAYERWISE_UNROLL
    for (int i = 1; i < 4; ++i) word = index % 4 == static_cast<uint64_t>(i) ? words.word[i] : word;
    factors[0] = word < a.threshold ? 0 : a.kept;
  } else {
    for (int i = 0; i < width; i += 4) {
      const PhiloxWords words = random_words(key, index / 4 + i / 4);
      for (int j = 0; j < 4; ++j) factors[i + j] = words.word[j] < a.threshold ? 0 : a.kept;
    }
  }
}

}  // namespace layerwise::cuda
