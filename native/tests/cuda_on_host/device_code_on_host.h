// What backend/cuda/device_code.h promises, on the host.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "core/bfloat16.h"
#include "cuda_on_host/async_proxy.h"
#include "cuda_on_host/device_functions.h"
#include "cuda_on_host/launch.h"
#include "cuda_on_host/shared_memory.h"

#define LAYERWISE_LAUNCH_UNCHECKED(kernel, grid, block, shared_bytes, stream, ...) \
  ::layerwise::cuda_on_host::launch(#kernel, kernel, grid, block, shared_bytes, stream, ##__VA_ARGS__)

#define LAYERWISE_SHARED(T, name, extents)                                                           \
  typedef T name##_type extents;                                                                     \
  static thread_local ::layerwise::cuda_on_host::SharedVariable<name##_type> name##_of_all_blocks;   \
  name##_type& name = name##_of_all_blocks.of_block()

#define LAYERWISE_DYNAMIC_SHARED(T, name) \
  T* const name = reinterpret_cast<T*>(::layerwise::cuda_on_host::current->block->dynamic_shared)

#define LAYERWISE_UNROLL

namespace layerwise::cuda {

inline void begin_kernel() { cuda_on_host::current->has_begun = true; }

[[noreturn]] inline void fail_for_alignment(const char* what, int bytes) {
  cuda_on_host::fail_in_kernel(std::string(what) + " at an address that is no multiple of " + std::to_string(bytes));
}

inline void require_vector_alignment(const void* address, const char* what, int bytes = 16) {
  if (reinterpret_cast<uintptr_t>(address) % static_cast<uintptr_t>(bytes) != 0) fail_for_alignment(what, bytes);
}

/// Before a store: where the block uses the asynchronous proxy, that is told.
inline void announce_store(const void* to, size_t bytes) {
  if (cuda_on_host::AsyncProxy* const proxy = cuda_on_host::current->block->async_proxy) proxy->written(to, bytes);
}

struct alignas(16) Vector16 {
  uint32_t word[4];
};

inline Vector16 load_vector(const void* from) {
  require_vector_alignment(from, "load_vector");
  Vector16 loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}

inline void store_vector(void* to, const Vector16& value) {
  require_vector_alignment(to, "store_vector");
  announce_store(to, sizeof value);
  std::memcpy(to, &value, sizeof value);
}

struct alignas(8) Vector8 {
  uint32_t word[2];
};

inline Vector8 load_half_vector(const void* from) {
  require_vector_alignment(from, "load_half_vector", 8);
  Vector8 loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}

inline void store_half_vector(void* to, const Vector8& value) {
  require_vector_alignment(to, "store_half_vector", 8);
  announce_store(to, sizeof value);
  std::memcpy(to, &value, sizeof value);
}

inline uint16_t round_bfloat16(float value) { return to_bfloat16(value).bits; }

inline uint32_t pack_bfloat16(float first, float second) {
  return round_bfloat16(first) | static_cast<uint32_t>(round_bfloat16(second)) << 16;
}

/// d (16×8) += a (16×K) · b (K×8), operands of one lane as PTX lays them out.
struct MmaOperand {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
};

void complete_mma_bf16(void* const (&operands)[cuda_on_host::warp_size]);
void complete_mma_tf32(void* const (&operands)[cuda_on_host::warp_size]);

inline void mma_bf16_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  MmaOperand operand{d, a, b};
  cuda_on_host::warp_operation("mma_bf16_16x8x16", &operand, complete_mma_bf16);
}

inline void mma_tf32_16x8x8(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  MmaOperand operand{d, a, b};
  cuda_on_host::warp_operation("mma_tf32_16x8x8", &operand, complete_mma_tf32);
}

/// Rounds to the nearest number with 10 bits of mantissa, ties away from zero, as cvt.rna.tf32.f32 does.
inline uint32_t to_tf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7F800000u) == 0x7F800000u) return bits;
  return (bits + 0x1000u) & 0xFFFFE000u;
}

struct MatrixOperand {
  const void* row;
  uint32_t* registers;
};

void complete_load_matrix(void* const (&operands)[cuda_on_host::warp_size]);
void complete_load_matrix_transposed(void* const (&operands)[cuda_on_host::warp_size]);

inline void load_matrix_x4(uint32_t (&registers)[4], const void* shared_row) {
  require_vector_alignment(shared_row, "load_matrix_x4");
  MatrixOperand operand{shared_row, registers};
  cuda_on_host::warp_operation("load_matrix_x4", &operand, complete_load_matrix);
}

inline void load_matrix_x4_transposed(uint32_t (&registers)[4], const void* shared_row) {
  require_vector_alignment(shared_row, "load_matrix_x4_transposed");
  MatrixOperand operand{shared_row, registers};
  cuda_on_host::warp_operation("load_matrix_x4_transposed", &operand, complete_load_matrix_transposed);
}

inline void copy_async_16(void* shared, const void* global, bool valid) {
  require_vector_alignment(shared, "copy_async_16 to shared memory");
  if (valid) require_vector_alignment(global, "copy_async_16 from global memory");
  cuda_on_host::current->copies.issue(shared, global, valid);
}

inline void copy_async_commit() { cuda_on_host::current->copies.commit(); }

template <int most_pending>
void copy_async_wait() {
  cuda_on_host::current->copies.wait(most_pending);
}

}  // namespace layerwise::cuda
