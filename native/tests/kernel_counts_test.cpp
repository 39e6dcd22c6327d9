// What the host runtime counts of kernels, each with a known answer. This file is compiled as kernels are for counting.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "backend/cuda/device_code.h"
#include "backend/cuda/hopper/instructions.h"
#include "backend/cuda/runtime.h"
#include "cuda_on_host/counting.h"

namespace layerwise::test {

using namespace layerwise::cuda;

// Not in an unnamed namespace: the linker must know the names of kernels.

/// One warp, or several, each thread reading a word: thread i of a warp word i · stride.
__global__ void shared_stride_kernel(float* out, int stride) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(float, values);
  const int thread = static_cast<int>(threadIdx.x);
  values[thread * stride] = 1;
  __syncthreads();
  out[thread] = values[thread * stride];
}

__global__ void shared_vectors_kernel(float* out, int stride, bool of_sixteen) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(float, values);
  const int thread = static_cast<int>(threadIdx.x);
  if (of_sixteen)
    store_vector(out + 4 * thread, load_vector(values + thread * stride));
  else
    store_half_vector(out + 2 * thread, load_half_vector(values + thread * stride));
}

__global__ void static_shared_kernel(float* out) {
  begin_kernel();
  LAYERWISE_SHARED(float, values, [32][33]);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 32; ++i) values[i][lane] = 0;  // rows: no two lanes in one bank
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < 32; ++i) sum += values[lane][i];  // columns: the 33rd word keeps lanes apart
  out[lane] = sum;
}

__global__ void global_stride_kernel(const float* in, float* out, int stride) {
  begin_kernel();
  const int thread = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  out[thread] = in[thread * stride];
}

__global__ void bfloat16_kernel(const Bfloat16* in, Bfloat16* out) {
  begin_kernel();
  store_element(out + threadIdx.x, load_element(in + threadIdx.x));
}

__global__ void tensor_core_kernel(float* out, int products) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(Bfloat16, tile);
  const int lane = static_cast<int>(threadIdx.x);
  uint32_t a[4], b[4];
  float d[4] = {};
  load_matrix_x4(a, tile + lane % 8 * 8);    // rows that follow each other: 8 · 16 bytes in all banks
  load_matrix_x4(b, tile + lane % 8 * 64);   // rows of 128 bytes: all in the same four banks
  const uint32_t right[2] = {b[0], b[1]};
  for (int i = 0; i < products; ++i) mma_bf16_16x8x16(d, a, right);
  mma_tf32_16x8x8(d, a, right);
  out[lane] = d[0];
}

__global__ void copy_kernel(const float* in, float* out, int valid) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(float, tile);
  const int lane = static_cast<int>(threadIdx.x);
  copy_async_16(tile + 4 * lane, in + 4 * lane, lane < valid);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
  out[lane] = __shfl_xor_sync(all_lanes, tile[lane], 1);
}

/// A warpgroup that copies and one that multiplies. Block i makes i + 1 tiles, each of two products, and stores a word
/// per thread.
template <Swizzle swizzle>
__global__ void tiles_kernel(const float* in, float* out) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(char, memory);
  LAYERWISE_SHARED(uint64_t, barrier, [1]);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) barrier_init(barrier, warpgroup_threads);
  __syncthreads();
  if (thread < warpgroup_threads) {
    for (int piece = thread; piece < 1536; piece += warpgroup_threads)
      copy_async_16(memory + 16 * piece, in + 4 * piece, true);
    copy_async_commit();
    copy_async_wait<0>();
    fence_async_proxy();
    barrier_arrive(barrier);
    return;
  }
  barrier_wait(barrier, 0);
  constexpr int across = swizzle == Swizzle::none ? 128 : 1024;  // bytes of eight rows
  const uint64_t a = matrix_descriptor(memory, swizzle == Swizzle::none ? 1024 : 16, across, swizzle);
  const uint64_t b = matrix_descriptor(memory + 8192, swizzle == Swizzle::none ? 2048 : 16, across, swizzle);
  float sums[1][product_sums] = {};
  for (unsigned tile = 0; tile <= blockIdx.x; ++tile) {
    warpgroup_fence();
    for (int product = 0; product < 2; ++product) multiply<Inner::depth, Inner::depth>(sums[0], a, b, true);
    commit_products();
    finish_products(sums);
    sync_threads(1, warpgroup_threads);
    out[thread] = sums[0][0];
  }
}

/// Half of the warp copies in the first phase of a barrier, the other half in the second.
__global__ void phases_kernel(const float* in) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(float, tile);
  LAYERWISE_SHARED(uint64_t, barrier, [1]);
  const int lane = static_cast<int>(threadIdx.x);
  if (lane == 0) barrier_init(barrier, 32);
  __syncthreads();
  for (int phase = 0; phase < 2; ++phase) {
    copy_async_16(tile + 4 * lane, in + 4 * lane, lane / 16 == phase);
    barrier_arrive(barrier);
    barrier_wait(barrier, static_cast<unsigned>(phase));
  }
}

namespace {

using cuda_on_host::LaunchCounts;

class KernelCounts : public ::testing::Test {
 protected:
  static constexpr size_t floats = 1 << 16;
  static constexpr size_t shared = 32 << 10;

  /// The only launch that `run` makes.
  static LaunchCounts counted(const std::function<void()>& run, int64_t most_blocks = 1 << 20) {
    cuda_on_host::count_launches(most_blocks);
    run();
    const std::vector<LaunchCounts> launches = cuda_on_host::end_counting();
    EXPECT_EQ(launches.size(), 1u);
    return launches.at(0);
  }

  const DeviceMemory in_ = make_device_memory(floats * sizeof(float)), out_ = make_device_memory(floats * sizeof(float));
  float* const in = static_cast<float*>(in_.get());
  float* const out = static_cast<float*>(out_.get());
};

}  // namespace

TEST_F(KernelCounts, bank_conflicts_by_stride) {
  const auto wavefronts = [&](int stride) {
    const LaunchCounts launch =
        counted([&] { LAYERWISE_LAUNCH(shared_stride_kernel, 1, 64, shared, nullptr, out, stride); });
    EXPECT_EQ(launch.main.shared_stores.requests, 2);
    EXPECT_EQ(launch.main.shared_loads.requests, 2);
    EXPECT_EQ(launch.main.shared_loads.bytes, 64 * 4);
    EXPECT_EQ(launch.main.shared_stores.parts, launch.main.shared_loads.parts);
    return launch.main.shared_loads.parts / 2;
  };
  EXPECT_EQ(wavefronts(0), 1) << "one word for all";
  EXPECT_EQ(wavefronts(1), 1);
  EXPECT_EQ(wavefronts(2), 2);
  EXPECT_EQ(wavefronts(8), 8);
  EXPECT_EQ(wavefronts(32), 32);
  EXPECT_EQ(wavefronts(33), 1);
}

TEST_F(KernelCounts, wide_accesses_by_halves_and_quarters_of_a_warp) {
  const auto wavefronts = [&](int stride, bool of_sixteen) {
    const LaunchCounts launch = counted(
        [&] { LAYERWISE_LAUNCH(shared_vectors_kernel, 1, 32, shared, nullptr, out, stride, of_sixteen); });
    EXPECT_EQ(launch.main.shared_loads.requests, 1);
    EXPECT_EQ(launch.main.global_stores.requests, 1);
    EXPECT_EQ(launch.main.global_stores.parts, of_sixteen ? 16 : 8);
    return launch.main.shared_loads.parts;
  };
  EXPECT_EQ(wavefronts(2, false), 2);
  EXPECT_EQ(wavefronts(4, false), 4) << "lanes 0 and 8 meet";
  EXPECT_EQ(wavefronts(32, false), 32);
  EXPECT_EQ(wavefronts(4, true), 4);
  EXPECT_EQ(wavefronts(8, true), 8);
  EXPECT_EQ(wavefronts(32, true), 32);
  EXPECT_EQ(wavefronts(36, true), 4) << "16 bytes after each 128";
}

TEST_F(KernelCounts, static_shared_memory_by_plain_subscripts) {
  const LaunchCounts launch = counted([&] { LAYERWISE_LAUNCH(static_shared_kernel, 1, 32, 0, nullptr, out); });
  EXPECT_EQ(launch.main.shared_stores.requests, 32);
  EXPECT_EQ(launch.main.shared_stores.parts, 32);
  EXPECT_EQ(launch.main.shared_loads.requests, 32);
  EXPECT_EQ(launch.main.shared_loads.parts, 32);
  EXPECT_EQ(launch.main.barriers, 1);
}

TEST_F(KernelCounts, sectors_by_stride) {
  const auto loads = [&](int stride) {
    const LaunchCounts launch =
        counted([&] { LAYERWISE_LAUNCH(global_stride_kernel, 4, 64, 0, nullptr, in, out, stride); });
    EXPECT_EQ(launch.blocks, 4);
    EXPECT_EQ(launch.counted_blocks, 4);
    EXPECT_EQ(launch.main.global_stores.parts, 8 * 4);
    EXPECT_EQ(launch.main.global_loads.requests, 8);
    EXPECT_EQ(launch.main.global_loads.bytes, 256 * 4);
    EXPECT_EQ(launch.written.bytes(), 256 * 4);
    EXPECT_EQ(launch.read.bytes(), (255 * stride + 1) * 4);
    return launch.main.global_loads.parts / 8;
  };
  EXPECT_EQ(loads(1), 4);
  EXPECT_EQ(loads(2), 8);
  EXPECT_EQ(loads(8), 32);
  EXPECT_EQ(loads(0), 1);
  const LaunchCounts narrow = counted([&] {
    LAYERWISE_LAUNCH(bfloat16_kernel, 1, 32, 0, nullptr, reinterpret_cast<const Bfloat16*>(in),
                     reinterpret_cast<Bfloat16*>(out));
  });
  EXPECT_EQ(narrow.main.global_loads.parts, 2);
  EXPECT_EQ(narrow.main.global_stores.parts, 2);
}

TEST_F(KernelCounts, tensor_core_operations_and_matrix_loads) {
  const LaunchCounts launch =
      counted([&] { LAYERWISE_LAUNCH(tensor_core_kernel, 1, 32, shared, nullptr, out, 3); });
  EXPECT_EQ(launch.main.mma_bf16, 3);
  EXPECT_EQ(launch.main.mma_tf32, 1);
  EXPECT_EQ(launch.main.matrix_loads.requests, 2);
  EXPECT_EQ(launch.main.matrix_loads.parts, 4 * 1 + 4 * 8);
  EXPECT_EQ(launch.main.global_stores.requests, 0);
  EXPECT_EQ(launch.tail.global_stores.requests, 1) << "what follows the last product";
}

TEST_F(KernelCounts, products_of_warpgroups_by_tile) {
  const auto check_counts = [](const LaunchCounts& launch) {
    EXPECT_EQ(launch.counted_blocks, 3);
    EXPECT_EQ(launch.finished_tiles, 1 + 2 + 3);
    EXPECT_EQ(launch.tiles, 2);
    EXPECT_EQ(launch.most_tiles, 3);
    EXPECT_EQ(launch.main.wgmma, 6 * 2);
    EXPECT_EQ(launch.main.product_loads.requests, 6 * 2 * 2);
    EXPECT_EQ(launch.main.product_loads.bytes, 6 * 2 * (64 + 128) * 16 * 2);
    EXPECT_EQ(launch.main.product_loads.parts, 6 * 2 * (16 + 32)) << "a core matrix at a time";
    EXPECT_EQ(launch.main.copies_stored.requests, 3 * 1536 / 32) << "by a warpgroup that multiplies nothing";
    EXPECT_EQ(launch.main.global_stores.requests, 0);
    EXPECT_EQ(launch.tail.global_stores.requests, 6 * 4);
    EXPECT_EQ(launch.main.barriers, 3 * 8);
    EXPECT_EQ(launch.tail.barriers, 6 * 4);
    EXPECT_EQ(launch.tail.wgmma, 0);
  };
  check_counts(counted(
      [&] { LAYERWISE_LAUNCH(tiles_kernel<Swizzle::none>, 3, 256, shared, nullptr, in, out); }));
  check_counts(counted(
      [&] { LAYERWISE_LAUNCH(tiles_kernel<Swizzle::bytes_128>, 3, 256, shared, nullptr, in, out); }));
  const LaunchCounts without = counted([&] { LAYERWISE_LAUNCH(tensor_core_kernel, 1, 32, shared, nullptr, out, 3); });
  EXPECT_EQ(without.finished_tiles, 0);
  EXPECT_EQ(without.tiles, 1);
  EXPECT_EQ(without.most_tiles, 1);
}

TEST_F(KernelCounts, asynchronous_copies_on_both_sides) {
  const LaunchCounts launch = counted([&] { LAYERWISE_LAUNCH(copy_kernel, 1, 32, shared, nullptr, in, out, 20); });
  EXPECT_EQ(launch.main.copies_stored.requests, 1);
  EXPECT_EQ(launch.main.copies_stored.parts, 4);
  EXPECT_EQ(launch.main.copies_stored.bytes, 32 * 16);
  EXPECT_EQ(launch.main.copies_read.requests, 1);
  EXPECT_EQ(launch.main.copies_read.parts, 10);
  EXPECT_EQ(launch.main.copies_read.bytes, 20 * 16);
  EXPECT_EQ(launch.main.shuffles, 1);
  EXPECT_EQ(launch.main.shared_loads.parts, 1);
  EXPECT_EQ(launch.read.bytes(), 20 * 16);
}

TEST_F(KernelCounts, waiting_for_a_barrier_keeps_requests_apart) {
  const LaunchCounts launch = counted([&] { LAYERWISE_LAUNCH(phases_kernel, 1, 32, shared, nullptr, in); });
  EXPECT_EQ(launch.main.copies_stored.requests, 2);
  EXPECT_EQ(launch.main.copies_read.requests, 2) << "one in each phase, by half of the warp";
}

TEST_F(KernelCounts, some_blocks_stand_for_all) {
  const auto run = [&] { LAYERWISE_LAUNCH(global_stride_kernel, 100, 32, 0, nullptr, in, out, 1); };
  const LaunchCounts few = counted(run, 5);
  EXPECT_EQ(few.blocks, 100);
  EXPECT_EQ(few.counted_blocks, 5);
  EXPECT_EQ(few.main.global_loads.requests, 5);
  EXPECT_EQ(few.read.bytes(), 3200 * 4) << "the first and the last are among them";
  EXPECT_EQ(counted(run, 0).counted_blocks, 0);
  EXPECT_NE(few.kernel.find("global_stride_kernel"), std::string::npos);
}

TEST_F(KernelCounts, copies_and_fills_have_labels) {
  cuda_on_host::set_label("somewhere");
  const LaunchCounts fill = counted([&] { clear_async(nullptr, out, 64); });
  cuda_on_host::set_label("");
  EXPECT_EQ(fill.kernel, "fill");
  EXPECT_EQ(fill.label, "somewhere");
  EXPECT_EQ(fill.copied_bytes, 64);
}

}  // namespace layerwise::test
