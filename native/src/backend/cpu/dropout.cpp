// Dropout: the factors of channels, and of elements.
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
  const DropoutSequence sequence = sequence_of(device.step, op.dropout);
  const float* const x = op.x.as<float>();
  float* const output = op.output.as<float>();
  parallel_ranges(op.x.shape.elements(), [&](int64_t begin, int64_t end) {
    device.loops.dropout_factors(sequence, begin, end - begin, output + begin);
    for (int64_t i = begin; i < end; ++i) output[i] *= x[i];
  });
}

}  // namespace layerwise::cpu
