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

}  // namespace

ArenaTensor dropout_factors(Device& device, const Dropout& dropout, int64_t samples, int64_t channels) {
  if (!(dropout.probability > 0)) return {};
  ArenaTensor factors = device.arena.take(DataType::float32, Shape::matrix(samples, channels));
  const DropoutSequence sequence = sequence_of(device.step, dropout);
  float* const values = factors.view().as<float>();
  parallel_ranges(samples * channels, [&](int64_t begin, int64_t end) {
    device.loops.dropout_factors(sequence, begin, end - begin, values + begin);
  });
  return factors;
}

void drop_elements(Device& device, const DropElements& op) {
  constexpr int64_t most = 1024;  // factors at a time, a multiple of 4
  const DropoutSequence sequence = sequence_of(device.step, op.dropout);
  with_storage(op.x.type, [&](auto a) {
    using A = decltype(a);
    parallel_ranges(op.x.shape.elements(), [&](int64_t begin, int64_t end) {
      float factors[most];
      for (int64_t i = begin; i < end; i += most) {
        const int64_t count = std::min(most, end - i);
        device.loops.dropout_factors(sequence, i, count, factors);
        device.loops.of<A>().scale_channels(op.x.as<A>() + i, factors, 1, count, op.output.as<A>() + i);
      }
    });
  });
}

}  // namespace layerwise::cpu
