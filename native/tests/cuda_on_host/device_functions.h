// CUDA's built-in device functions, as far as the kernels use them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda_on_host/counting.h"
#include "cuda_on_host/execution.h"

/// As in CUDA, the barrier that all threads of a block reach must be the same one.
inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  layerwise::cuda_on_host::block_barrier(file, line);
}

namespace layerwise::cuda_on_host {

inline void require_full_warp(unsigned mask) {
  if (mask != 0xFFFFFFFFu) fail_in_kernel("only warp operations of all 32 threads can be run on the host");
}

struct ShuffleOperand {
  uint64_t value = 0;
  unsigned source = 0;
  uint64_t result = 0;
};

inline void complete_shuffle(void* const (&operands)[warp_size]) {
  if (current->block->counter != nullptr) current->block->counter->shuffle();
  for (void* operand : operands) {
    auto& mine = *static_cast<ShuffleOperand*>(operand);
    mine.result = static_cast<const ShuffleOperand*>(operands[mine.source])->value;
  }
}

template <class T>
T shuffle(unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
  require_full_warp(mask);
  ShuffleOperand operand;
  std::memcpy(&operand.value, &value, sizeof value);
  operand.source = source;
  warp_operation("a shuffle", &operand, complete_shuffle);
  std::memcpy(&value, &operand.result, sizeof value);
  return value;
}

struct BallotOperand {
  bool predicate = false;
  unsigned result = 0;
};

inline void complete_ballot(void* const (&operands)[warp_size]) {
  unsigned votes = 0;
  for (unsigned lane = 0; lane < warp_size; ++lane)
    votes |= unsigned{static_cast<BallotOperand*>(operands[lane])->predicate} << lane;
  for (void* operand : operands) static_cast<BallotOperand*>(operand)->result = votes;
}

inline void complete_warp_barrier(void* const (&)[warp_size]) {}

}  // namespace layerwise::cuda_on_host

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) {
  layerwise::cuda_on_host::require_full_warp(mask);
  layerwise::cuda_on_host::warp_operation("__syncwarp", nullptr, layerwise::cuda_on_host::complete_warp_barrier);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int lane = static_cast<int>(layerwise::cuda_on_host::current->lane);
  const int in_group = lane / width * width + (source & (width - 1));
  return layerwise::cuda_on_host::shuffle(mask, value, static_cast<unsigned>(in_group));
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
  const int lane = static_cast<int>(layerwise::cuda_on_host::current->lane);
  const int source = lane ^ lane_mask;
  // As in CUDA: groups before the own one may be read, later ones may not.
  const bool readable = source / width <= lane / width;
  return layerwise::cuda_on_host::shuffle(mask, value, static_cast<unsigned>(readable ? source : lane));
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = static_cast<int>(layerwise::cuda_on_host::current->lane);
  const int source = lane % width + static_cast<int>(delta) < width ? lane + static_cast<int>(delta) : lane;
  return layerwise::cuda_on_host::shuffle(mask, value, static_cast<unsigned>(source));
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = static_cast<int>(layerwise::cuda_on_host::current->lane);
  const int source = lane % width >= static_cast<int>(delta) ? lane - static_cast<int>(delta) : lane;
  return layerwise::cuda_on_host::shuffle(mask, value, static_cast<unsigned>(source));
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  layerwise::cuda_on_host::require_full_warp(mask);
  layerwise::cuda_on_host::BallotOperand operand{predicate != 0, 0};
  layerwise::cuda_on_host::warp_operation("__ballot_sync", &operand, layerwise::cuda_on_host::complete_ballot);
  return operand.result;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == 0xFFFFFFFFu; }

// Of integers only: the order of floating-point additions must not depend on timing. What is counted of memory (counting.h)
// leaves them out.
#define LAYERWISE_ATOMIC inline __attribute__((no_sanitize("thread")))
LAYERWISE_ATOMIC int atomicAdd(int* target, int value) { return __atomic_fetch_add(target, value, __ATOMIC_SEQ_CST); }
LAYERWISE_ATOMIC unsigned atomicAdd(unsigned* target, unsigned value) {
  return __atomic_fetch_add(target, value, __ATOMIC_SEQ_CST);
}
LAYERWISE_ATOMIC unsigned atomicInc(unsigned* target, unsigned limit) {
  unsigned old = __atomic_load_n(target, __ATOMIC_SEQ_CST);
  while (!__atomic_compare_exchange_n(target, &old, old >= limit ? 0 : old + 1, false, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST)) {
  }
  return old;
}
LAYERWISE_ATOMIC void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
#undef LAYERWISE_ATOMIC

template <class T>
T __ldg(const T* from) {
  return *from;
}

inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned>(bits)); }
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
using std::max;
using std::min;
