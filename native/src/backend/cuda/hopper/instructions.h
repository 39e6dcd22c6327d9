// What GPUs of compute capability 9.0 can do beyond device_code.h: products by a warpgroup, barriers in shared memory,
// and registers that move from one warpgroup to another. As there, nvcc gets PTX, and the CUDA-on-host build runs the same
// kernels by tests/cuda_on_host.
//
//   LAYERWISE_HAS_WARPGROUPS   defined where code for such a GPU is compiled; the body of a kernel that uses this header
//                              stands between #ifdef and #endif
//
// A warpgroup is four neighbouring warps, 128 threads, of which the first has a number that is a multiple of 128.
//
// Products (PTX: wgmma.mma_async, m64n128k16, bfloat16 with float32 sums). Operands are in shared memory, in "core
// matrices" of eight times 16 bytes: eight neighbours of the outer direction, eight elements of the inner one. A descriptor
// tells where they are:
//
//   matrix_descriptor(start, leading_bytes, stride_bytes, swizzle)
//     Inner::depth   (K-major)   leading: from the first eight terms of the sum to the other eight.
//                                stride: from eight rows of A (columns of B) to the next eight.
//     Inner::extent  (MN-major)  leading: from the first eight terms of the sum to the other eight.
//                                stride: from eight rows of A (columns of B) to the next eight.
//     That is for Swizzle::none, where a core matrix is 128 contiguous bytes: its eight pieces of 16 bytes follow each
//     other, and start is a multiple of 16. PTX ISA, "Shared Memory Matrix Layout", tells what the fields mean for others.
//   moved(descriptor, bytes)     the same, starting further on; bytes is a multiple of 16
//
//   warpgroup_fence()            before the first product, and after finish_products()
//   multiply<a, b>(sums, A, B, adds)   sums (64×128) = A (64×16) · B (16×128), plus what they were where `adds`. A thread has
//                                64 of the sums: of warp w, lanes as in mma's fragments, rows 16w + lane / 4 (+ 8), columns
//                                8j + lane % 4 · 2 (+ 1) in sums[4j …]
//   commit_products()            closes a group
//   wait_products<n>()           until at most n of the warpgroup's groups are under way: the shared memory that the others
//                                read is free. The sums must not be touched yet
//   finish_products(sums)        waits for all of them; the sums, of several products, can be read
//
// Products read shared memory through the "asynchronous proxy". What threads have written there in the usual way, by
// cp.async too, and once it has arrived (copy_async_wait), they must show to it:
//
//   fence_async_proxy()          by the threads that wrote, before the barrier by which others learn of it
//
// Barriers (PTX: mbarrier), 8 bytes of shared memory. A barrier goes through phases; each ends when as many threads have
// arrived as barrier_init said. The first has parity 0, the next one 1, and so on in turns.
//
//   barrier_init(barrier, arrivals)     by one thread; then fence_barrier_init() and __syncthreads()
//   barrier_arrive(barrier)             what the thread did before is seen by those who wait
//   barrier_wait(barrier, parity)       until the phase with that parity has ended. Of a new barrier the phase before the
//                                       first counts as ended: parity 1 does not wait
//   sync_threads(number, threads)       __syncthreads() for that many threads, whole warps; numbers are 1 … 15
//
// Registers (PTX: setmaxnreg). All warps of a warpgroup take part; count is a multiple of 8 from 24 to 256.
//
//   release_registers<count>()   keeps that many for each thread
//   claim_registers<count>()     waits until so many are there
#pragma once

#include "backend/cuda/device_code.h"
#include "backend/cuda/gemm_tiles.cuh"

namespace layerwise::cuda {

constexpr int warpgroup_threads = 128;
constexpr int product_rows = 64, product_columns = 128, product_depth = 16;
constexpr int product_sums = product_rows * product_columns / warpgroup_threads;  // of a thread

enum class Swizzle { none = 0, bytes_128 = 1, bytes_64 = 2, bytes_32 = 3 };

}  // namespace layerwise::cuda

#ifdef LAYERWISE_CUDA_ON_HOST
#include "cuda_on_host/hopper_instructions.h"
#else
#include "backend/cuda/hopper/instructions_ptx.h"
#endif
