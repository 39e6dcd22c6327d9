// Vectors of floats as wide as the extension that the including loops are compiled for, and loads and
// stores that convert between them and the storage types. To be included inside no namespace, by
// loops_*.cpp only: everything here is local to the file.
#pragma once

#include <cstdint>

#include "core/bfloat16.h"  // the type alone: its functions are inline, see loops.h

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

#if defined(__AVX512F__)
constexpr int64_t lanes = 16;
#elif defined(__AVX2__)
constexpr int64_t lanes = 8;
#else
constexpr int64_t lanes = 4;
#endif

typedef float Vector __attribute__((vector_size(lanes * 4)));
typedef uint32_t VectorBits __attribute__((vector_size(lanes * 4)));
typedef uint16_t HalfBits __attribute__((vector_size(lanes * 2)));

template <class V>
struct Width;
template <>
struct Width<Vector> {
  static constexpr int64_t value = lanes;
};
template <>
struct Width<float> {
  static constexpr int64_t value = 1;
};

/// Calls body(V{}, c) for c in [begin, end) in steps of V's width: vectors first, then single floats.
template <class Body>
inline __attribute__((always_inline)) void for_channels(int64_t begin, int64_t end, const Body& body) {
  int64_t c = begin;
  for (; c + lanes <= end; c += lanes) body(Vector{}, c);
  for (; c < end; ++c) body(float{}, c);
}

template <class V>
inline V load(const float* from) {
  V value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

template <class V>
inline V load(const Bfloat16* from);
template <>
inline float load<float>(const Bfloat16* from) {
  const uint32_t bits = static_cast<uint32_t>(from->bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
template <>
inline Vector load<Vector>(const Bfloat16* from) {
  HalfBits half;
  __builtin_memcpy(&half, from, sizeof half);
  return reinterpret_cast<Vector>(__builtin_convertvector(half, VectorBits) << 16);
}

template <class V>
inline void store(float* to, V value) {
  __builtin_memcpy(to, &value, sizeof value);
}

/// The rule of to_bfloat16: to nearest, ties to even; NaN stays NaN.
inline void store(Bfloat16* to, float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  to->bits = static_cast<uint16_t>(nan ? (bits >> 16) | 0x40u : rounded);
}
inline void store(Bfloat16* to, Vector value) {
#ifdef __AVX512BF16__
  const __m256bh half = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(value));
#else
  const VectorBits bits = reinterpret_cast<VectorBits>(value);
  const VectorBits rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const VectorBits quieted = (bits >> 16) | 0x40u;
  const HalfBits half = __builtin_convertvector((bits & 0x7FFFFFFFu) > 0x7F800000u ? quieted : rounded, HalfBits);
#endif
  __builtin_memcpy(to, &half, sizeof half);
}

}  // namespace

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
