// How a block of a Hopper kernel works: one warpgroup fills buffers in shared memory, two warpgroups multiply what is there,
// and neither waits for the other while there are buffers to spare. Buffers form rings. For each there are two barriers:
// that it is filled, and that it is free again.
#pragma once

#include <algorithm>

#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/hopper/instructions.h"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

constexpr int multiplying_warpgroups = 2;
constexpr int hopper_threads = (1 + multiplying_warpgroups) * warpgroup_threads;

/// How a block shares out its registers, in each thread's: few for those who fill, the rest for those who hold sums. It has as
/// many as it was launched with, the same multiple of 8 for each thread; claiming more would wait for ever.
template <int filling_, int multiplying_>
struct RegisterShares {
  static constexpr int filling = filling_, multiplying = multiplying_;
  static constexpr int at_launch = 65536 / hopper_threads / 8 * 8;
  static_assert(filling + multiplying_warpgroups * multiplying <= (1 + multiplying_warpgroups) * at_launch,
                "a block has no more registers");
};

/// A thread's way round a ring. Buffers are numbered from 0 to slots − 1.
class Ring {
 public:
  __device__ __forceinline__ Ring(uint64_t* barriers, int slots) : barriers_(barriers), slots_(slots) {}

  /// Of a ring whose buffers are each filled by `filling` warps. By one thread; fence_barrier_init() and __syncthreads()
  /// follow.
  __device__ __forceinline__ void begin(int filling) const {
    for (int slot = 0; slot < slots_; ++slot) {
      barrier_init(filled(slot), filling);
      barrier_init(freed(slot), multiplying_warpgroups * warpgroup_threads / 32);
    }
  }

  __device__ __forceinline__ int slot() const { return slot_; }
  __device__ __forceinline__ int slots() const { return slots_; }
  __device__ __forceinline__ void next() {
    if (++slot_ < slots_) return;
    slot_ = 0;
    parity_ ^= 1;
  }
  __device__ __forceinline__ void wait_until_filled() const { barrier_wait(filled(slot_), parity_); }
  __device__ __forceinline__ void wait_until_free() const { barrier_wait(freed(slot_), parity_ ^ 1); }

  __device__ __forceinline__ uint64_t* filled(int slot) const { return barriers_ + 2 * slot; }
  __device__ __forceinline__ uint64_t* freed(int slot) const { return barriers_ + 2 * slot + 1; }

 private:
  uint64_t* barriers_;  // two of each buffer
  int slots_, slot_ = 0;
  unsigned parity_ = 0;
};

/// Once for each warp.
__device__ __forceinline__ void arrive_as_warp(uint64_t* barrier) {
  if (threadIdx.x % 32 == 0) barrier_arrive(barrier);
}

/// Fills a ring's buffers with cp.async. Copies into `ahead` buffers are under way before those into the first of them are
/// waited for; the ring has at least two buffers more.
template <int ahead>
class Filling {
 public:
  __device__ __forceinline__ explicit Filling(const Ring& ring) : ring_(ring) {}

  /// copy(slot) begins this thread's copies into the next buffer.
  template <class Copy>
  __device__ __forceinline__ void fill(const Copy& copy) {
    ring_.wait_until_free();
    copy(ring_.slot());
    copy_async_commit();
    ring_.next();
    if (++under_way_ > ahead) {
      copy_async_wait<ahead>();
      publish();
    }
  }

  __device__ __forceinline__ void finish() {
    copy_async_wait<0>();
    while (under_way_ > 0) publish();
  }

 private:
  /// The oldest buffer: its copies have arrived.
  __device__ __forceinline__ void publish() {
    fence_async_proxy();
    __syncwarp();
    arrive_as_warp(ring_.filled(oldest_));
    oldest_ = oldest_ + 1 < ring_.slots() ? oldest_ + 1 : 0;
    --under_way_;
  }

  Ring ring_;
  int under_way_ = 0, oldest_ = 0;
};

/// Reads a ring's buffers. One is given back when the products of the next one have been begun and its own are done.
class Reading {
 public:
  __device__ __forceinline__ explicit Reading(const Ring& ring) : ring_(ring) {}

  /// The next buffer, once it is filled.
  __device__ __forceinline__ int take() {
    ring_.wait_until_filled();
    return ring_.slot();
  }
  /// The buffer that was taken is held until give_back().
  __device__ __forceinline__ void hold() {
    held_ = ring_.slot();
    ring_.next();
  }
  /// What is held, if anything is.
  __device__ __forceinline__ void give_back() {
    if (held_ >= 0) arrive_as_warp(ring_.freed(held_));
    held_ = -1;
  }

 private:
  Ring ring_;
  int held_ = -1;
};

/// Operands in shared memory: "planes" of eight neighbours of the inner direction, 16 bytes, one for each of `length` places
/// of the other direction, which follow each other. So eight places anywhere in a plane are a core matrix, and an operand
/// can begin at any of them: shifted operands, such as those of a convolution's taps, need no copies of their own. Planes are
/// as long as keeps copies of neighbouring threads in different banks: with `across` threads side by side, planes of an odd
/// multiple of 8 / across places.
constexpr int plane_length(int places, int across) {
  const int step = across >= 8 ? 1 : 8 / across;
  const int length = (places + step - 1) / step;
  return (length % 2 == 0 ? length + 1 : length) * step;
}

constexpr int place_bytes = 16;  // of one place of a plane
constexpr int plane_width = 8;   // bfloat16 in a place

/// A product's sums in shared memory, for an epilogue by one warpgroup.
using StagedTile = BlockTile<product_rows, product_columns, product_rows, 32>;
static_assert(StagedTile::threads == warpgroup_threads, "a warpgroup goes over its own product");

/// Calls finish(tile in shared memory) by the warpgroup's threads; `staging` is the warpgroup's own, and free afterwards.
template <class Finish>
__device__ __forceinline__ void finish_staged(const float (&sums)[product_sums], float* staging, const Finish& finish) {
  const int thread = static_cast<int>(threadIdx.x) % warpgroup_threads, lane = thread % 32;
  const int own_barrier = static_cast<int>(threadIdx.x) / warpgroup_threads;  // 1 or 2
  float* const to = staging + (thread / 32 * 16 + lane / 4) * StagedTile::row_stride + lane % 4 * 2;
  LAYERWISE_UNROLL
  for (int j = 0; j < product_columns / 8; ++j) {
    store_half_vector(to + 8 * j, {{__float_as_uint(sums[4 * j]), __float_as_uint(sums[4 * j + 1])}});
    store_half_vector(to + 8 * j + 8 * StagedTile::row_stride,
                      {{__float_as_uint(sums[4 * j + 2]), __float_as_uint(sums[4 * j + 3])}});
  }
  sync_threads(own_barrier, warpgroup_threads);
  finish(static_cast<const float*>(staging));
  sync_threads(own_barrier, warpgroup_threads);
}

/// For launchers: the blocks of a kernel that stay, one for each multiprocessor at most. Reserves their shared memory.
template <class Kernel>
unsigned persistent_blocks(const Device& device, Kernel* kernel, int64_t work, int shared_bytes) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes),
        "reserving shared memory for a matrix product");
  return static_cast<unsigned>(std::min<int64_t>(work, device.multiprocessors));
}

}  // namespace layerwise::cuda
