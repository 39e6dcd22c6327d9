// Dropout: the factors of channels, and of elements.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"
#include "core/philox.h"

namespace layerwise::cpu {

namespace {

/// The sequence of core/philox.h's random_words for that key.
DropoutSequence sequence_of(const StepState& step, const Dropout& dropout) {
  const uint32_t tag =
      (static_cast<uint32_t>(step.step >> 32) << 8) | static_cast<uint32_t>(RandomPurpose::dropout);
  return {{static_cast<uint32_t>(step.step), tag, dropout.stream},
          {static_cast<uint32_t>(step.seed), static_cast<uint32_t>(step.seed >> 32)},
          dropout_threshold(dropout.probability),
          static_cast<float>(1 / (1 - dropout.probability))};
}

/// Factors `first` … `first + count − 1` of the sequence. The loops begin at multiples of 4, this anywhere: where this
/// process's first sample comes after others'.
void factors_from(const Device& device, const DropoutSequence& sequence, int64_t first, int64_t count, float* factors) {
  const int64_t before = first % 4;
  if (before != 0) {
    float words[4];
    device.loops.dropout_factors(sequence, first - before, 4, words);
    const int64_t taken = std::min(4 - before, count);
    std::copy_n(words + before, taken, factors);
    first += taken;
    count -= taken;
    factors += taken;
  }
  if (count > 0) device.loops.dropout_factors(sequence, first, count, factors);
}

}  // namespace

ArenaTensor dropout_factors(Device& device, const Dropout& dropout, int64_t samples, int64_t channels) {
  if (!(dropout.probability > 0)) return {};
  ArenaTensor factors = device.arena.take(DataType::float32, Shape::matrix(samples, channels));
  const DropoutSequence sequence = sequence_of(device.step, dropout);
  float* const values = factors.view().as<float>();
  const int64_t first = device.step.first_sample * channels;
  parallel_ranges(samples * channels, [&](int64_t begin, int64_t end) {
    factors_from(device, sequence, first + begin, end - begin, values + begin);
  });
  return factors;
}

void drop_elements(Device& device, const DropElements& op) {
  constexpr int64_t most = 1024;  // factors at a time, a multiple of 4
  const DropoutSequence sequence = sequence_of(device.step, op.dropout);
  const int64_t first = device.step.first_sample * op.x.shape.features();
  with_storage(op.x.type, [&](auto a) {
    using A = decltype(a);
    parallel_ranges(op.x.shape.elements(), [&](int64_t begin, int64_t end) {
      float factors[most];
      for (int64_t i = begin; i < end; i += most) {
        const int64_t count = std::min(most, end - i);
        factors_from(device, sequence, first + i, count, factors);
        device.loops.of<A>().scale_channels(op.x.as<A>() + i, factors, 1, count, op.output.as<A>() + i);
      }
    });
  });
}

}  // namespace layerwise::cpu
