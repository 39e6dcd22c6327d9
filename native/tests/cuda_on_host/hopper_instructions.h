// What backend/cuda/hopper/instructions.h promises, on the host.
#pragma once

#include "cuda_on_host/hopper_block.h"

#define LAYERWISE_HAS_WARPGROUPS

namespace layerwise::cuda {

static_assert(warpgroup_threads == cuda_on_host::warpgroup_size &&
                  product_sums == cuda_on_host::WarpgroupProducts::sums_of_thread,
              "the host's products have the shape of the device's");

// ---- warpgroup_products.cpp

uint64_t matrix_descriptor(const void* start, int leading_bytes, int stride_bytes, Swizzle swizzle = Swizzle::none);
uint64_t moved(uint64_t descriptor, int bytes);

inline void warpgroup_fence() { cuda_on_host::current->fenced_for_products = true; }

void issue_product(cuda_on_host::ProductRequest request);
void commit_products();
void wait_for_products(int most_pending);
void give_back_sums(float* sums, int parts);

template <Inner a_inner, Inner b_inner>
void multiply(float (&sums)[product_sums], uint64_t a, uint64_t b, bool adds) {
  issue_product({sums, a, b, a_inner == Inner::extent, b_inner == Inner::extent, adds});
}

template <int most_pending>
void wait_products() {
  wait_for_products(most_pending);
}

template <int parts>
void finish_products(float (&sums)[parts][product_sums]) {
  give_back_sums(&sums[0][0], parts);
}

// ---- barriers.cpp

void fence_async_proxy();
void barrier_init(uint64_t* barrier, int arrivals);
/// By the thread that called barrier_init().
void fence_barrier_init();
void barrier_arrive(uint64_t* barrier);
void barrier_wait(uint64_t* barrier, unsigned parity);
void sync_threads(int number, int threads);
void release_registers_down_to(unsigned count);
void claim_registers_up_to(unsigned count);

template <int count>
void release_registers() {
  static_assert(count % 8 == 0 && count >= 24 && count <= 256, "a multiple of 8 from 24 to 256");
  release_registers_down_to(count);
}

template <int count>
void claim_registers() {
  static_assert(count % 8 == 0 && count >= 24 && count <= 256, "a multiple of 8 from 24 to 256");
  claim_registers_up_to(count);
}

}  // namespace layerwise::cuda
