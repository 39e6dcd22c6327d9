// The only header through which kernels (.cuh) and their launchers (.cu) see CUDA. With nvcc it gives
// PTX; in the CUDA-on-host build g++ compiles the same sources, and the host runtime of
// tests/cuda_on_host runs them.
//
// Both sides give, beside CUDA's threadIdx, __syncthreads, __shfl_xor_sync and so on:
//
//   LAYERWISE_SHARED(T, name, [32][9])         shared memory of fixed extent (nothing between the last comma
//                                              and the bracket for a single T); the word __shared__ is not
//                                              known on the host
//   LAYERWISE_DYNAMIC_SHARED(T, name)          T* to the shared memory whose size the launch gives
//   LAYERWISE_LAUNCH(kernel, grid, block, shared_bytes, stream, arguments...)
//                                              a template's name with a comma in it needs parentheses
//   begin_kernel()                             every kernel begins with it: waits until all that earlier kernels of the
//                                              stream have written is there. From compute capability 9.0 on a kernel
//                                              may be launched before the one before it has ended (programmatic
//                                              dependent launch), so that its blocks are there when that one ends
//   LAYERWISE_UNROLL                           before a loop that indexes arrays which must stay in registers
//   struct Vector16, load_vector, store_vector 16-byte accesses; the address is a multiple of 16
//   struct Vector8, load_half_vector, store_half_vector  8-byte accesses; the address is a multiple of 8
//   round_bfloat16(value)                      the bits of the nearest Bfloat16, ties to even; NaN becomes some NaN
//   pack_bfloat16(first, second)               two of them as an mma operand holds neighbours, the first in the lower half
//   mma_bf16_16x8x16, mma_tf32_16x8x8          d += a · b on tensor cores, fragments as in PTX's m16n8k16 and
//                                              m16n8k8; of tf32 operands the lowest 13 bits are ignored
//   to_tf32                                    rounds to nearest, for those operands
//   load_matrix_x4 (_transposed)               ldmatrix: lane i gives the address of row i % 8 of matrix i / 8
//   copy_async_16(shared, global, valid)       cp.async of 16 bytes; zeros where not valid, global is not read
//   copy_async_commit(), copy_async_wait<n>()  until at most n of the thread's groups are under way
#pragma once

#include <cstdint>

#include "core/bfloat16.h"

#ifdef LAYERWISE_CUDA_ON_HOST
#include "cuda_on_host/device_code_on_host.h"
#else
#include "backend/cuda/device_code_ptx.h"
#endif

#include "backend/cuda/runtime.h"

#define LAYERWISE_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                    \
  do {                                                                                      \
    LAYERWISE_LAUNCH_UNCHECKED(kernel, grid, block, shared_bytes, stream, ##__VA_ARGS__);   \
    ::layerwise::cuda::check(cudaGetLastError(), "launching " #kernel);                     \
  } while (false)

namespace layerwise::cuda {

constexpr unsigned all_lanes = 0xFFFFFFFFu;

/// How many T lie in 16 bytes.
template <class T>
constexpr int vector_elements = 16 / static_cast<int>(sizeof(T));

// Elements of storage type float or Bfloat16, as float.

__device__ __forceinline__ float load_element(const float* from) { return *from; }
__device__ __forceinline__ float load_element(const Bfloat16* from) { return to_float(*from); }
__device__ __forceinline__ void store_element(float* to, float value) { *to = value; }
__device__ __forceinline__ void store_element(Bfloat16* to, float value) { to->bits = round_bfloat16(value); }

__device__ __forceinline__ void unpack(const Vector16& vector, float (&values)[4]) {
  for (int i = 0; i < 4; ++i) values[i] = __uint_as_float(vector.word[i]);
}
__device__ __forceinline__ void unpack(const Vector16& vector, float (&values)[8]) {
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = __uint_as_float(vector.word[i] << 16);
    values[2 * i + 1] = __uint_as_float(vector.word[i] & 0xFFFF0000u);
  }
}
__device__ __forceinline__ Vector16 pack(const float (&values)[4]) {
  Vector16 vector;
  for (int i = 0; i < 4; ++i) vector.word[i] = __float_as_uint(values[i]);
  return vector;
}
__device__ __forceinline__ Vector16 pack(const float (&values)[8]) {
  Vector16 vector;
  for (int i = 0; i < 4; ++i) vector.word[i] = pack_bfloat16(values[2 * i], values[2 * i + 1]);
  return vector;
}

/// 16 bytes of T from an address that is a multiple of 16, as floats; and back.
template <class T>
__device__ __forceinline__ void load_elements(const T* from, float (&values)[vector_elements<T>]) {
  unpack(load_vector(from), values);
}
template <class T>
__device__ __forceinline__ void store_elements(T* to, const float (&values)[vector_elements<T>]) {
  store_vector(to, pack(values));
}

/// Four neighbours: 16 bytes of float or 8 of Bfloat16, from an address that is a multiple of as many; and back.
__device__ __forceinline__ void load_four(const float* from, float (&values)[4]) { load_elements(from, values); }
__device__ __forceinline__ void load_four(const Bfloat16* from, float (&values)[4]) {
  const Vector8 vector = load_half_vector(from);
  for (int i = 0; i < 2; ++i) {
    values[2 * i] = __uint_as_float(vector.word[i] << 16);
    values[2 * i + 1] = __uint_as_float(vector.word[i] & 0xFFFF0000u);
  }
}
__device__ __forceinline__ void store_four(float* to, const float (&values)[4]) { store_elements(to, values); }
__device__ __forceinline__ void store_four(Bfloat16* to, const float (&values)[4]) {
  store_half_vector(to, {{pack_bfloat16(values[0], values[1]), pack_bfloat16(values[2], values[3])}});
}

// Reductions in a fixed order. All 32 threads of the warp, or all threads of the block, take part and get
// the result.

template <class T>
__device__ __forceinline__ T warp_sum(T value) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(all_lanes, value, offset);
  return value;
}

__device__ __forceinline__ float warp_max(float value) {
  for (int offset = 16; offset > 0; offset /= 2) value = fmaxf(value, __shfl_xor_sync(all_lanes, value, offset));
  return value;
}

/// `scratch`: shared memory for a T per warp, free again afterwards. Two barriers. The block is
/// one-dimensional, of a multiple of 32 threads.
template <class T>
__device__ T block_sum(T value, T* scratch) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
  __syncthreads();
  T total = scratch[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) total += scratch[warp];
  __syncthreads();
  return total;
}

}  // namespace layerwise::cuda
