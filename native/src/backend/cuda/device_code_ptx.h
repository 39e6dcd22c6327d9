// What device_code.h promises, as PTX for NVIDIA GPUs of compute capability 8.0 and later.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

#include "backend/cuda/launch_order.h"

#define LAYERWISE_LAUNCH_UNCHECKED(kernel, grid, block, shared_bytes, stream, ...) \
  ::layerwise::cuda::launch_kernel(kernel, grid, block, shared_bytes, stream, ##__VA_ARGS__)

#define LAYERWISE_SHARED(T, name, extents) __shared__ __align__(16) T name extents

#define LAYERWISE_DYNAMIC_SHARED(T, name)                             \
  extern __shared__ __align__(128) unsigned char layerwise_dynamic[]; \
  T* const name = reinterpret_cast<T*>(layerwise_dynamic)

#define LAYERWISE_UNROLL _Pragma("unroll")

namespace layerwise::cuda {

/// Launches a kernel. What goes wrong is what cudaGetLastError gives.
template <class... Parameters, class... Arguments>
void launch_kernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                   Arguments&&... arguments) {
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = grid;
  configuration.blockDim = block;
  configuration.dynamicSmemBytes = shared_bytes;
  configuration.stream = stream;
  configuration.attrs = &early;
  configuration.numAttrs = launch_order.may_launch_early() ? 1 : 0;
  cudaLaunchKernelEx(&configuration, kernel, Parameters(std::forward<Arguments>(arguments))...);
  launch_order.kernel_launched();
}

__device__ __forceinline__ void begin_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

struct alignas(16) Vector16 {
  uint32_t word[4];
};

__device__ __forceinline__ Vector16 load_vector(const void* from) {
  const uint4 loaded = *static_cast<const uint4*>(from);
  return {{loaded.x, loaded.y, loaded.z, loaded.w}};
}

__device__ __forceinline__ void store_vector(void* to, const Vector16& value) {
  *static_cast<uint4*>(to) = make_uint4(value.word[0], value.word[1], value.word[2], value.word[3]);
}

struct alignas(8) Vector8 {
  uint32_t word[2];
};

__device__ __forceinline__ Vector8 load_half_vector(const void* from) {
  const uint2 loaded = *static_cast<const uint2*>(from);
  return {{loaded.x, loaded.y}};
}

__device__ __forceinline__ void store_half_vector(void* to, const Vector8& value) {
  *static_cast<uint2*>(to) = make_uint2(value.word[0], value.word[1]);
}

__device__ __forceinline__ uint16_t round_bfloat16(float value) {
  uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

__device__ __forceinline__ uint32_t pack_bfloat16(float first, float second) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(second), "f"(first));
  return packed;
}

__device__ __forceinline__ void mma_bf16_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void mma_tf32_16x8x8(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ uint32_t to_tf32(float value) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

__device__ __forceinline__ uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

__device__ __forceinline__ void load_matrix_x4(uint32_t (&registers)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(shared_address(shared_row))
               : "memory");
}

__device__ __forceinline__ void load_matrix_x4_transposed(uint32_t (&registers)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(shared_address(shared_row))
               : "memory");
}

__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool valid) {
  const int source_bytes = valid ? 16 : 0;  // the rest of the 16 is filled with zeros
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(shared_address(shared)), "l"(global), "r"(source_bytes)
               : "memory");
}

__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int most_pending>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(most_pending) : "memory");
}

}  // namespace layerwise::cuda
