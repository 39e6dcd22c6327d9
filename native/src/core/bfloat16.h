// The upper half of a float32: eight bits of exponent, seven of mantissa (and one implied). Storage of
// activations and of weights' copies; arithmetic is done in float32.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/host_device.h"

namespace layerwise {

struct Bfloat16 {
  uint16_t bits;
};

LAYERWISE_HOST_DEVICE inline float to_float(Bfloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

/// Rounds to nearest, ties to even; NaN stays NaN.
LAYERWISE_HOST_DEVICE inline Bfloat16 to_bfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16)};
}

}  // namespace layerwise
