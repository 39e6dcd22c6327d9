// Barriers, registers and asynchronous products together, as a kernel that hands tiles from producers to consumers uses
// them; and mistakes with each of them found.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/cuda/hopper/instructions.h"
#include "backend/cuda/runtime.h"
#include "kernel_failure.h"

namespace layerwise::test {

namespace {

using namespace layerwise::cuda;

// ---- a pipeline: one producer warpgroup, two consumers --------------------------------------------

constexpr int stages = 3, stage_depth = 64, consumers = 2;
constexpr int row_bytes = stage_depth * 2;  // of a tile: a swizzle of 128 bytes
constexpr int a_bytes = consumers * product_rows * row_bytes, b_bytes = product_columns * row_bytes;
constexpr int stage_bytes = a_bytes + b_bytes;
constexpr int pipeline_threads = (consumers + 1) * warpgroup_threads;
constexpr int tile_rows = consumers * product_rows, tile_columns = product_columns;

enum class PipelineFault {
  none,
  consumer_parity,       // consumers wait for the phase before
  producer_parity,       // producers wait for slots that nobody has used
  slot_given_back_early, // before the products that read it have been waited for
  no_proxy_fence,
  too_many_arrivals,     // one more than there are threads
};

/// Copies rows of 64 terms, eight pieces of 16 bytes each, to a tile with the 128-byte swizzle.
__device__ __forceinline__ void copy_rows(char* tile, const Bfloat16* from, int rows, int depth) {
  const int thread = static_cast<int>(threadIdx.x) % warpgroup_threads;
  for (int piece = thread; piece < rows * 8; piece += warpgroup_threads) {
    const int row = piece / 8, column = piece % 8;
    copy_async_16(tile + row * row_bytes + (column ^ row % 8) * 16, from + row * depth + column * 8, true);
  }
}

/// C (tiles · 128 × 128) = A · B, A by rows of `depth` terms and B by columns.
__global__ void pipeline_kernel(const Bfloat16* a, const Bfloat16* b, float* c, int tiles, int depth, PipelineFault fault) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(char, memory);
  LAYERWISE_SHARED(uint64_t, full, [stages]);
  LAYERWISE_SHARED(uint64_t, empty, [stages]);
  const int thread = static_cast<int>(threadIdx.x), warpgroup = thread / warpgroup_threads;
  const int steps = depth / stage_depth;
  if (thread == 0) {
    for (int stage = 0; stage < stages; ++stage) {
      barrier_init(&full[stage], warpgroup_threads + (fault == PipelineFault::too_many_arrivals ? 1 : 0));
      barrier_init(&empty[stage], consumers * warpgroup_threads);
    }
    fence_barrier_init();
  }
  __syncthreads();

  if (warpgroup == consumers) {
    release_registers<24>();
    const auto hand_over = [&](int step) {
      if (fault != PipelineFault::no_proxy_fence) fence_async_proxy();
      barrier_arrive(&full[step % stages]);
    };
    for (int step = 0; step < tiles * steps; ++step) {
      const int stage = step % stages, first = step % steps * stage_depth;
      const auto round = static_cast<unsigned>(step / stages);
      barrier_wait(&empty[stage], (round & 1) ^ (fault == PipelineFault::producer_parity ? 0 : 1));
      char* const slot = memory + stage * stage_bytes;
      copy_rows(slot, a + step / steps * tile_rows * depth + first, tile_rows, depth);
      copy_rows(slot + a_bytes, b + first, tile_columns, depth);
      copy_async_commit();
      copy_async_wait<1>();
      if (step > 0) hand_over(step - 1);
    }
    copy_async_wait<0>();
    hand_over(tiles * steps - 1);
    return;
  }

  claim_registers<240>();
  float sums[1][product_sums];
  for (int tile = 0; tile < tiles; ++tile) {
    warpgroup_fence();
    for (int i = 0; i < steps; ++i) {
      const int step = tile * steps + i, stage = step % stages;
      const auto round = static_cast<unsigned>(step / stages);
      barrier_wait(&full[stage], (round & 1) ^ (fault == PipelineFault::consumer_parity ? 1 : 0));
      const char* const slot = memory + stage * stage_bytes;
      const uint64_t a_matrix =
          matrix_descriptor(slot + warpgroup * product_rows * row_bytes, 16, 8 * row_bytes, Swizzle::bytes_128);
      const uint64_t b_matrix = matrix_descriptor(slot + a_bytes, 16, 8 * row_bytes, Swizzle::bytes_128);
      for (int k = 0; k < stage_depth / product_depth; ++k)
        multiply<Inner::depth, Inner::depth>(sums[0], moved(a_matrix, 32 * k), moved(b_matrix, 32 * k), i + k > 0);
      commit_products();
      if (fault == PipelineFault::slot_given_back_early) {
        barrier_arrive(&empty[stage]);
      } else if (i > 0) {
        wait_products<1>();
        barrier_arrive(&empty[(step - 1) % stages]);
      }
    }
    finish_products(sums);
    if (fault != PipelineFault::slot_given_back_early) barrier_arrive(&empty[((tile + 1) * steps - 1) % stages]);
    sync_threads(1, consumers * warpgroup_threads);
    const int lane = thread % 32, row = thread / 32 * 16 + lane / 4, column = lane % 4 * 2;
    for (int i = 0; i < product_sums; ++i)
      c[(tile * tile_rows + row + i / 2 % 2 * 8) * tile_columns + i / 4 * 8 + column + i % 2] = sums[0][i];
  }
}

struct Pipeline {
  static constexpr int tiles = 2, depth = 7 * stage_depth;

  Pipeline() {
    check(cudaFuncSetAttribute(pipeline_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, stages * stage_bytes), "test");
    for (int i = 0; i < tiles * tile_rows * depth; ++i) a[i] = to_bfloat16(static_cast<float>(i * 7 % 23 - 11) / 8);
    for (int i = 0; i < tile_columns * depth; ++i) b[i] = to_bfloat16(static_cast<float>(i * 5 % 19 - 9) / 8);
  }
  void run(PipelineFault fault) {
    LAYERWISE_LAUNCH(pipeline_kernel, 1, pipeline_threads, stages * stage_bytes, nullptr, a, b, c.data(), tiles, depth, fault);
  }

  const DeviceMemory a_memory = make_device_memory(size_t{tiles} * tile_rows * depth * sizeof(Bfloat16));
  const DeviceMemory b_memory = make_device_memory(size_t{tile_columns} * depth * sizeof(Bfloat16));
  Bfloat16* const a = static_cast<Bfloat16*>(a_memory.get());
  Bfloat16* const b = static_cast<Bfloat16*>(b_memory.get());
  std::vector<float> c = std::vector<float>(size_t{tiles} * tile_rows * tile_columns, -1000.0f);
};

void expect_pipeline_failure(PipelineFault fault, const std::vector<std::string>& parts) {
  Pipeline pipeline;
  const std::string failure = kernel_failure_of([&] { pipeline.run(fault); });
  for (const std::string& part : parts)
    EXPECT_NE(failure.find(part), std::string::npos) << "wanted: " << part << "; failed with: " << failure;
}

// ---- one instruction each -------------------------------------------------------------------------

enum class BarrierFault { none, not_initialized, overwritten, not_aligned, initialized_twice, on_the_stack };

__global__ void barrier_kernel(BarrierFault fault, int* phases) {
  begin_kernel();
  LAYERWISE_SHARED(uint64_t, barrier, [2]);
  uint64_t own = 0;
  uint64_t* const used = fault == BarrierFault::not_initialized ? barrier + 1
                         : fault == BarrierFault::not_aligned
                             ? reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(barrier) + 4)
                         : fault == BarrierFault::on_the_stack ? &own
                                                               : barrier;
  if (threadIdx.x == 0) {
    barrier_init(fault == BarrierFault::not_initialized ? barrier : used, 128);
    if (fault == BarrierFault::initialized_twice) barrier_init(used, 128);
    fence_barrier_init();
    if (fault == BarrierFault::overwritten) barrier[0] = 0;
  }
  __syncthreads();
  barrier_wait(used, 1);  // the phase before the first
  for (unsigned phase = 0; phase < 5; ++phase) {
    barrier_arrive(used);
    barrier_wait(used, phase & 1);
    if (threadIdx.x == 1) ++*phases;
  }
}

__global__ void named_barriers_kernel(int* out, int threads, bool misses_one) {
  begin_kernel();
  LAYERWISE_SHARED(int, values, [256]);
  const int thread = static_cast<int>(threadIdx.x), half = thread / 128;
  values[thread] = thread;
  if (misses_one && thread == 200) return;
  sync_threads(1 + half, thread < 224 ? 128 : threads);
  out[thread] = values[thread ^ 127];
}

__global__ void part_of_a_warp_kernel() {
  begin_kernel();
  if (threadIdx.x < 16 || threadIdx.x >= 48) sync_threads(3, 32);
}

enum class RegisterFault { none, no_release, raised, lowered };

__global__ void registers_kernel(RegisterFault fault, int* order) {
  begin_kernel();
  if (threadIdx.x >= 256) {
    if (fault == RegisterFault::raised) release_registers<176>();
    if (fault != RegisterFault::no_release) release_registers<24>();
  } else {
    if (fault == RegisterFault::lowered) claim_registers<160>();
    claim_registers<240>();
    ++order[threadIdx.x];
  }
}

void expect_failure(const std::string& failure, const std::string& part) {
  EXPECT_NE(failure.find(part), std::string::npos) << "wanted: " << part << "; failed with: " << failure;
}

}  // namespace

TEST(HopperPipeline, producers_and_consumers_agree) {
  Pipeline pipeline;
  pipeline.run(PipelineFault::none);
  for (int row = 0; row < Pipeline::tiles * tile_rows; ++row)
    for (int column = 0; column < tile_columns; ++column) {
      double sum = 0;  // exact
      for (int k = 0; k < Pipeline::depth; ++k)
        sum += double{to_float(pipeline.a[row * Pipeline::depth + k])} * to_float(pipeline.b[column * Pipeline::depth + k]);
      ASSERT_EQ(pipeline.c[static_cast<size_t>(row * tile_columns + column)], static_cast<float>(sum)) << row << ", " << column;
    }
}

TEST(HopperPipeline, a_wrong_parity_is_found) {
  expect_pipeline_failure(PipelineFault::producer_parity, {"no thread can go on", "384 wait in barrier_wait"});
  // Threads that come before the first slot is full go on at once, others wait for ever: either is reported.
  expect_pipeline_failure(PipelineFault::consumer_parity, {"kernel pipeline_kernel"});
}

TEST(HopperPipeline, a_slot_that_products_still_read_is_not_filled_again) {
  expect_pipeline_failure(PipelineFault::slot_given_back_early, {"is overwritten while a product still reads it"});
}

TEST(HopperPipeline, what_producers_forget_is_found) {
  expect_pipeline_failure(PipelineFault::no_proxy_fence, {"without a fence_async_proxy"});
  expect_pipeline_failure(PipelineFault::too_many_arrivals, {"no thread can go on", "wait in barrier_wait"});
}

TEST(HopperPipeline, barriers_go_through_phases) {
  int phases = 0;
  const auto failure_with = [&phases](BarrierFault fault) {
    return kernel_failure_of([&] { LAYERWISE_LAUNCH(barrier_kernel, 1, 128, 0, nullptr, fault, &phases); });
  };
  EXPECT_EQ(failure_with(BarrierFault::none), "");
  EXPECT_EQ(phases, 5);
  expect_failure(failure_with(BarrierFault::not_initialized), "barrier_wait without barrier_init");
  expect_failure(failure_with(BarrierFault::overwritten), "something else was written where the barrier is");
  expect_failure(failure_with(BarrierFault::not_aligned), "no multiple of 8");
  expect_failure(failure_with(BarrierFault::initialized_twice), "barrier_init of a barrier that is there already");
  expect_failure(failure_with(BarrierFault::on_the_stack), "not in shared memory");
}

TEST(HopperPipeline, barriers_with_numbers_are_for_as_many_threads_as_all_say) {
  std::vector<int> out(256);
  const auto failure_with = [&out](int threads, bool misses_one) {
    return kernel_failure_of([&] { LAYERWISE_LAUNCH(named_barriers_kernel, 1, 256, 0, nullptr, out.data(), threads, misses_one); });
  };
  EXPECT_EQ(failure_with(128, false), "");
  for (int thread = 0; thread < 256; ++thread) EXPECT_EQ(out[static_cast<size_t>(thread)], thread ^ 127);
  expect_failure(failure_with(96, false), "while others wait there for");
  expect_failure(failure_with(100, false), "whole warps");
  expect_failure(failure_with(128, true), "127 wait in sync_threads");
  expect_failure(kernel_failure_of([] { LAYERWISE_LAUNCH(part_of_a_warp_kernel, 1, 64, 0, nullptr); }), "a part of a warp");
}

TEST(HopperPipeline, registers_are_claimed_when_others_have_released_them) {
  std::vector<int> order(256);
  const auto failure_with = [&order](RegisterFault fault) {
    return kernel_failure_of([&] { LAYERWISE_LAUNCH(registers_kernel, 1, 384, 0, nullptr, fault, order.data()); });
  };
  EXPECT_EQ(failure_with(RegisterFault::none), "");
  EXPECT_EQ(order, std::vector<int>(256, 1));
  expect_failure(failure_with(RegisterFault::no_release), "wait in claim_registers");
  expect_failure(failure_with(RegisterFault::raised), "that is more");
  expect_failure(failure_with(RegisterFault::lowered), "that is fewer");
}

}  // namespace layerwise::test
