// The host runtime for CUDA kernels: it does what a GPU does, and finds what a GPU would not tell.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "backend/cuda/device_code.h"
#include "backend/cuda/runtime.h"
#include "core/error.h"
#include "kernel_failure.h"

namespace layerwise::test {

namespace {

using namespace layerwise::cuda;

constexpr float not_written = -1;

/// Whether running `launch` fails with a message that holds `part`.
template <class Launch>
void expect_kernel_failure(const Launch& launch, const std::string& part) {
  const std::string failure = kernel_failure_of(launch);
  EXPECT_NE(failure.find(part), std::string::npos) << "failed with: " << failure << ", expected was: " << part;
}

__global__ void positions_kernel(int* out) {
  begin_kernel();
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1;
}

__global__ void block_sum_kernel(const float* in, float* out) {
  begin_kernel();
  LAYERWISE_SHARED(float, scratch, [32]);
  float value = in[threadIdx.x];
  for (int round = 0; round < 3; ++round) value = block_sum(value, scratch) / 128;
  out[threadIdx.x] = value;
}

__global__ void neighbour_kernel(int* out, bool with_barrier) {
  begin_kernel();
  LAYERWISE_SHARED(int, values, [64]);
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (with_barrier) __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = values[(threadIdx.x + 1) % 64] + values[(threadIdx.x + 63) % 64];
}

__global__ void shuffles_kernel(int* out) {
  begin_kernel();
  const int lane = static_cast<int>(threadIdx.x);
  int* row = out + lane;
  row[0] = __shfl_sync(all_lanes, lane, 5);
  row[32] = __shfl_xor_sync(all_lanes, lane, 16);
  row[64] = __shfl_down_sync(all_lanes, lane, 3);
  row[96] = __shfl_up_sync(all_lanes, lane, 3, 8);
  row[128] = static_cast<int>(__ballot_sync(all_lanes, lane % 3 == 0));
  row[160] = static_cast<int>(warp_max(static_cast<float>(lane * (lane % 2))));
}

__global__ void mma_bf16_kernel(const uint32_t* a, const uint32_t* b, float* d) {
  begin_kernel();
  const unsigned lane = threadIdx.x;
  uint32_t af[4], bf[2];
  float df[4];
  for (int i = 0; i < 4; ++i) af[i] = a[lane * 4 + i];
  for (int i = 0; i < 2; ++i) bf[i] = b[lane * 2 + i];
  for (int i = 0; i < 4; ++i) df[i] = d[lane * 4 + i];
  mma_bf16_16x8x16(df, af, bf);
  for (int i = 0; i < 4; ++i) d[lane * 4 + i] = df[i];
}

__global__ void mma_tf32_kernel(const float* a, const float* b, float* d) {
  begin_kernel();
  const unsigned lane = threadIdx.x;
  uint32_t af[4], bf[2];
  float df[4];
  for (int i = 0; i < 4; ++i) af[i] = to_tf32(a[lane * 4 + i]);
  for (int i = 0; i < 2; ++i) bf[i] = to_tf32(b[lane * 2 + i]);
  for (int i = 0; i < 4; ++i) df[i] = d[lane * 4 + i];
  mma_tf32_16x8x8(df, af, bf);
  for (int i = 0; i < 4; ++i) d[lane * 4 + i] = df[i];
}

/// d (16×8) += a (16×16) · b, b stored as b[n][k] or, to be read transposed, as b[k][n].
__global__ void load_matrix_kernel(const Bfloat16* a, const Bfloat16* b, float* d, bool transposed) {
  begin_kernel();
  LAYERWISE_SHARED(Bfloat16, tile_a, [16][24]);  // a pitch of 48 bytes: rows stay aligned
  LAYERWISE_SHARED(Bfloat16, tile_b, [16][24]);
  const unsigned lane = threadIdx.x;
  for (unsigned i = lane; i < 256; i += 32) tile_a[i / 16][i % 16] = a[i];
  for (unsigned i = lane; i < 128; i += 32) {
    if (transposed)
      tile_b[i / 8][i % 8] = b[i];
    else
      tile_b[i / 16][i % 16] = b[i];
  }
  __syncwarp();
  uint32_t af[4], bf[4];
  load_matrix_x4(af, &tile_a[lane % 16][lane / 16 * 8]);
  if (transposed)
    load_matrix_x4_transposed(bf, &tile_b[lane % 16][0]);
  else
    load_matrix_x4(bf, &tile_b[lane % 8][lane / 8 % 2 * 8]);
  const uint32_t b_pair[2] = {bf[0], bf[1]};
  float df[4] = {};
  mma_bf16_16x8x16(df, af, b_pair);
  for (unsigned i = 0; i < 4; ++i) d[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = df[i];
}

__global__ void copy_async_kernel(const float* in, float* out, bool waits) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(float, stage);
  const unsigned begin = 4 * threadIdx.x;
  copy_async_16(stage + begin, in + begin, threadIdx.x % 2 == 0);
  copy_async_commit();
  copy_async_16(stage + 128 + begin, in + begin, true);
  copy_async_commit();
  if (waits) copy_async_wait<1>();
  for (unsigned i = 0; i < 4; ++i) {
    out[begin + i] = stage[begin + i];
    out[128 + begin + i] = stage[128 + begin + i];
  }
}

__global__ void divergent_barrier_kernel() {
  begin_kernel();
  if (threadIdx.x < 7) __syncthreads();
  if (threadIdx.x >= 7) __syncwarp();
}

__global__ void two_barriers_kernel() {
  begin_kernel();
  if (threadIdx.x < 7)
    __syncthreads();
  else
    __syncthreads();
}

__global__ void early_exit_kernel(int* out) {
  begin_kernel();
  if (threadIdx.x == 3) return;
  out[threadIdx.x] = __shfl_xor_sync(all_lanes, 1, 1);
}

__global__ void exit_before_barrier_kernel(int* out) {
  begin_kernel();
  if (threadIdx.x >= 40) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void misaligned_kernel(const float* in, float* out) {
  begin_kernel();
  float values[4];
  load_elements(in + 1, values);
  out[0] = values[0];
}

__global__ void impatient_kernel(float* out) { out[threadIdx.x] = 1; }

__global__ void fresh_shared_kernel(float* out) {
  begin_kernel();
  LAYERWISE_SHARED(float, fixed, [1]);
  LAYERWISE_DYNAMIC_SHARED(float, dynamic);
  out[2 * blockIdx.x] = fixed[0];
  out[2 * blockIdx.x + 1] = dynamic[0];
  fixed[0] = dynamic[0] = 1;
}

__global__ void never_launched_kernel() { begin_kernel(); }

__global__ void write_kernel(float* out, int64_t index, float value) {
  begin_kernel();
  out[index] = value;
}

std::vector<float> numbers(size_t count, int modulus) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(static_cast<int>(i * 7) % modulus - modulus / 2) / 8;
  return values;
}

std::vector<Bfloat16> rounded(const std::vector<float>& values) {
  std::vector<Bfloat16> result;
  for (float value : values) result.push_back(to_bfloat16(value));
  return result;
}

}  // namespace

TEST(CudaOnHost, every_thread_of_every_block_runs_once) {
  std::vector<int> runs(2 * 3 * 2 * 4 * 3 * 2, 0);
  LAYERWISE_LAUNCH(positions_kernel, dim3(2, 3, 2), dim3(4, 3, 2), 0, nullptr, runs.data());
  EXPECT_EQ(runs, std::vector<int>(runs.size(), 1));
}

TEST(CudaOnHost, barriers_keep_a_block_together) {
  std::vector<float> in(128), out(128, not_written);
  std::iota(in.begin(), in.end(), 0.0f);
  LAYERWISE_LAUNCH(block_sum_kernel, 1, 128, 0, nullptr, in.data(), out.data());
  EXPECT_EQ(out, std::vector<float>(128, 63.5f));  // the mean; of equal numbers the mean is that number
}

TEST(CudaOnHost, a_missing_barrier_shows) {
  for (const bool with_barrier : {true, false}) {
    std::vector<int> out(2 * 64, 0);
    LAYERWISE_LAUNCH(neighbour_kernel, 2, 64, 0, nullptr, out.data(), with_barrier);
    size_t right = 0;
    for (int i = 0; i < 128; ++i) right += out[static_cast<size_t>(i)] == (i % 64 + 1) % 64 + (i % 64 + 63) % 64;
    if (with_barrier) {
      EXPECT_EQ(right, out.size());
    } else {
      EXPECT_LT(right, out.size());
    }
  }
}

TEST(CudaOnHost, shuffles) {
  std::vector<int> out(6 * 32);
  LAYERWISE_LAUNCH(shuffles_kernel, 1, 32, 0, nullptr, out.data());
  for (int lane = 0; lane < 32; ++lane) {
    const int* of_lane = out.data() + lane;
    EXPECT_EQ(of_lane[0], 5);
    EXPECT_EQ(of_lane[32], lane ^ 16);
    EXPECT_EQ(of_lane[64], lane + 3 < 32 ? lane + 3 : lane);
    EXPECT_EQ(of_lane[96], lane % 8 >= 3 ? lane - 3 : lane);
    EXPECT_EQ(static_cast<unsigned>(of_lane[128]), 0x49249249u);
    EXPECT_EQ(of_lane[160], 31);
  }
}

// All values are multiples of 1/8 of few bits: the products and sums are exact.
TEST(CudaOnHost, mma_bf16_multiplies_fragments_as_ptx_lays_them_out) {
  const std::vector<float> a = numbers(16 * 16, 23), b = numbers(16 * 8, 19);  // a[row][k], b[k][column]
  std::vector<uint32_t> af(32 * 4), bf(32 * 2);
  std::vector<float> d(32 * 4, 0.5f);
  for (size_t lane = 0; lane < 32; ++lane) {
    const size_t g = lane / 4, t = lane % 4;
    for (size_t i = 0; i < 4; ++i) {
      const float* pair = &a[(g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8];
      af[lane * 4 + i] = pack_bfloat16(pair[0], pair[1]);
    }
    for (size_t i = 0; i < 2; ++i)
      bf[lane * 2 + i] = pack_bfloat16(b[(2 * t + i * 8) * 8 + g], b[(2 * t + i * 8 + 1) * 8 + g]);
  }
  LAYERWISE_LAUNCH(mma_bf16_kernel, 1, 32, 0, nullptr, af.data(), bf.data(), d.data());
  for (size_t lane = 0; lane < 32; ++lane)
    for (size_t i = 0; i < 4; ++i) {
      const size_t row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      float expected = 0.5f;
      for (size_t k = 0; k < 16; ++k) expected += a[row * 16 + k] * b[k * 8 + column];
      EXPECT_EQ(d[lane * 4 + i], expected) << "row " << row << ", column " << column;
    }
}

TEST(CudaOnHost, mma_tf32_multiplies_fragments_as_ptx_lays_them_out) {
  const std::vector<float> a = numbers(16 * 8, 23), b = numbers(8 * 8, 19);
  std::vector<float> af(32 * 4), bf(32 * 2), d(32 * 4, 0.5f);
  for (size_t lane = 0; lane < 32; ++lane) {
    const size_t g = lane / 4, t = lane % 4;
    for (size_t i = 0; i < 4; ++i) af[lane * 4 + i] = a[(g + i % 2 * 8) * 8 + t + i / 2 * 4];
    for (size_t i = 0; i < 2; ++i) bf[lane * 2 + i] = b[(t + i * 4) * 8 + g];
  }
  LAYERWISE_LAUNCH(mma_tf32_kernel, 1, 32, 0, nullptr, af.data(), bf.data(), d.data());
  for (size_t lane = 0; lane < 32; ++lane)
    for (size_t i = 0; i < 4; ++i) {
      const size_t row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      float expected = 0.5f;
      for (size_t k = 0; k < 8; ++k) expected += a[row * 8 + k] * b[k * 8 + column];
      EXPECT_EQ(d[lane * 4 + i], expected) << "row " << row << ", column " << column;
    }
}

TEST(CudaOnHost, tf32_keeps_ten_bits_of_mantissa) {
  const auto value = [](uint32_t bits) { return __uint_as_float(bits); };
  EXPECT_EQ(value(to_tf32(1 + 0x1p-10f)), 1 + 0x1p-10f);
  EXPECT_EQ(value(to_tf32(1 + 0x1p-11f)), 1 + 0x1p-10f);  // ties away from zero
  EXPECT_EQ(value(to_tf32(-1 - 0x1p-12f)), -1.0f);
  EXPECT_TRUE(std::isnan(value(to_tf32(NAN))));
}

TEST(CudaOnHost, load_matrix_gives_fragments_straight_and_transposed) {
  const std::vector<float> a = numbers(16 * 16, 23), b = numbers(8 * 16, 19);  // b[column][k], or b[k][column]
  for (const bool transposed : {false, true}) {
    std::vector<float> d(16 * 8, not_written);
    LAYERWISE_LAUNCH(load_matrix_kernel, 1, 32, 0, nullptr, rounded(a).data(), rounded(b).data(), d.data(), transposed);
    for (size_t row = 0; row < 16; ++row)
      for (size_t column = 0; column < 8; ++column) {
        float expected = 0;
        for (size_t k = 0; k < 16; ++k)
          expected += a[row * 16 + k] * b[transposed ? k * 8 + column : column * 16 + k];
        EXPECT_EQ(d[row * 8 + column], expected);
      }
  }
}

TEST(CudaOnHost, asynchronous_copies_arrive_when_they_are_waited_for) {
  alignas(16) float in[128];
  std::iota(in, in + 128, 1.0f);
  std::vector<float> out(256, not_written);
  LAYERWISE_LAUNCH(copy_async_kernel, 1, 32, 1024, nullptr, in, out.data(), true);
  for (size_t i = 0; i < 128; ++i) {
    EXPECT_EQ(out[i], i / 4 % 2 == 0 ? in[i] : 0) << i;
    EXPECT_TRUE(std::isnan(out[128 + i])) << "the second group may still be under way";
  }
  LAYERWISE_LAUNCH(copy_async_kernel, 1, 32, 1024, nullptr, in, out.data(), false);
  for (float value : out) EXPECT_TRUE(std::isnan(value));
}

TEST(CudaOnHost, divergent_barriers_are_failures) {
  expect_kernel_failure([] { LAYERWISE_LAUNCH(divergent_barrier_kernel, 1, 32, 0, nullptr); },
                        "7 wait in __syncthreads (threads 0 1 2 3 4 5 6), 25 wait in __syncwarp");
  expect_kernel_failure([] { LAYERWISE_LAUNCH(two_barriers_kernel, 1, 32, 0, nullptr); }, "while others wait at");
  std::vector<int> out(64, 0);
  expect_kernel_failure([&] { LAYERWISE_LAUNCH(early_exit_kernel, 1, 32, 0, nullptr, out.data()); }, "ended");
  expect_kernel_failure([&] { LAYERWISE_LAUNCH(early_exit_kernel, 1, 16, 0, nullptr, out.data()); },
                        "fewer than 32 threads");
  // What may be done: threads that ended are not waited for. It works after the failures as well.
  LAYERWISE_LAUNCH(exit_before_barrier_kernel, 1, 64, 0, nullptr, out.data());
  EXPECT_EQ(std::accumulate(out.begin(), out.end(), 0), 40);
}

TEST(CudaOnHost, misaligned_vectors_are_failures) {
  alignas(16) float in[8] = {};
  float out = 0;
  expect_kernel_failure([&] { LAYERWISE_LAUNCH(misaligned_kernel, 1, 1, 0, nullptr, in, &out); },
                        "no multiple of 16");
}

TEST(CudaOnHost, kernels_that_do_not_wait_for_earlier_ones_are_failures) {
  float out[2] = {};
  expect_kernel_failure([&] { LAYERWISE_LAUNCH(impatient_kernel, 1, 2, 0, nullptr, out); }, "begin_kernel()");
}

TEST(CudaOnHost, shared_memory_holds_nan_when_a_block_starts) {
  std::vector<float> out(16, 0);
  LAYERWISE_LAUNCH(fresh_shared_kernel, 8, 1, 4, nullptr, out.data());
  for (float value : out) EXPECT_TRUE(std::isnan(value));
}

TEST(CudaOnHost, launches_keep_to_the_limits_of_a_device) {
  float out[2];
  const auto launched_with = [&out](unsigned threads, size_t shared) {
    LAYERWISE_LAUNCH_UNCHECKED(fresh_shared_kernel, 1, threads, shared, nullptr, out);
    return cudaGetLastError();
  };
  EXPECT_EQ(launched_with(1025, 64), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launched_with(32, (48 << 10) + 1), cudaErrorInvalidValue);
  const auto allow = [](int bytes) {
    return cudaFuncSetAttribute(fresh_shared_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  };
  EXPECT_EQ(allow((227 << 10) + 1), cudaErrorInvalidValue);
  cudaGetLastError();
  EXPECT_EQ(allow(227 << 10), cudaSuccess);
  EXPECT_EQ(launched_with(32, 227 << 10), cudaSuccess);
  EXPECT_THROW(LAYERWISE_LAUNCH(fresh_shared_kernel, 1, 2048, 0, nullptr, out), Error);
}

TEST(CudaOnHost, a_captured_stream_runs_when_it_is_replayed) {
  const Stream stream = make_stream();
  const DeviceMemory memory = make_device_memory(8);
  float* data = static_cast<float*>(memory.get());
  float read[2];
  const auto contents = [&] { return cudaMemcpy(read, data, sizeof read, cudaMemcpyDeviceToHost); };

  LAYERWISE_LAUNCH(write_kernel, 1, 1, 0, stream.get(), data, 1, 0.0f);  // loads the kernel
  check(cudaMemsetAsync(data, 0, 8, stream.get()), "test");
  check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "test");
  float value = 3;
  LAYERWISE_LAUNCH(write_kernel, 1, 1, 0, stream.get(), data, 1, value);
  value = 4;
  cudaGraph_t captured = nullptr;
  check(cudaStreamEndCapture(stream.get(), &captured), "test");
  const Graph graph(captured);
  cudaGraphExec_t instantiated = nullptr;
  check(cudaGraphInstantiate(&instantiated, graph.get(), 0), "test");
  const GraphExec executable(instantiated);

  ASSERT_EQ(contents(), cudaSuccess);
  EXPECT_EQ(read[1], 0) << "capturing does nothing";
  check(cudaGraphLaunch(executable.get(), stream.get()), "test");
  ASSERT_EQ(contents(), cudaSuccess);
  EXPECT_EQ(read[1], 3) << "arguments are those of the capture";
  check(cudaMemsetAsync(data, 0, 8, stream.get()), "test");
  check(cudaGraphLaunch(executable.get(), stream.get()), "test");
  ASSERT_EQ(contents(), cudaSuccess);
  EXPECT_EQ(read[1], 3);
}

TEST(CudaOnHost, a_kernel_that_is_launched_for_the_first_time_spoils_a_capture) {
  const Stream stream = make_stream();
  check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "test");
  EXPECT_THROW(LAYERWISE_LAUNCH(never_launched_kernel, 1, 1, 0, stream.get()), Error);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream.get(), &graph), cudaErrorStreamCaptureInvalidated);
  cudaGetLastError();
}

TEST(CudaOnHost, what_needs_an_answer_spoils_a_capture) {
  const Stream stream = make_stream();
  const auto after = [&stream](const auto& call) {
    check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeGlobal), "test");
    const cudaError_t error = call();
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream.get(), &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    cudaGetLastError();
    return error;
  };
  void* data = nullptr;
  EXPECT_EQ(after([&] { return cudaStreamSynchronize(stream.get()); }), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(after([&] { return cudaMalloc(&data, 16); }), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(after([&] { return cudaDeviceSynchronize(); }), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(after([&] { return cudaMemcpy(data, data, 0, cudaMemcpyHostToHost); }), cudaErrorStreamCaptureImplicit);
}

TEST(CudaOnHost, device_memory_is_limited) {
  cuda_on_host::set_device_memory(8 << 20);
  const DeviceMemory most = make_device_memory(6 << 20);
  try {
    make_device_memory(3 << 20);
    ADD_FAILURE() << "3 MiB of 2";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    EXPECT_STREQ(error.what(),
                 "the CUDA device has no room for another 3.0 MiB: 2.0 MiB of 8.0 MiB are free; use a smaller batch "
                 "or a smaller network");
  }
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess) << "an error that was thrown is not reported again";
  cuda_on_host::set_device_memory(size_t{64} << 30);
}

TEST(CudaOnHost, device_memory_holds_nan_at_first_and_copies_stay_inside) {
  const DeviceMemory memory = make_device_memory(4);
  float value = 0;
  EXPECT_EQ(cudaMemcpy(&value, memory.get(), 8, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(&value, &value, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue) << "no device memory";
  cudaGetLastError();
  ASSERT_EQ(cudaMemcpy(&value, memory.get(), 4, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_TRUE(std::isnan(value));
}

TEST(CudaOnHost, writing_next_to_an_allocation_is_found) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer ends the process at the write itself";
#endif
  float* data = nullptr;
  ASSERT_EQ(cudaMalloc(&data, 16), cudaSuccess);
  LAYERWISE_LAUNCH(write_kernel, 1, 1, 0, nullptr, data, 4, 1.0f);
  EXPECT_EQ(cudaFree(data), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaMalloc(&data, 16), cudaErrorIllegalAddress) << "as on a GPU, nothing works after that";
  cuda_on_host::forget_sticky_error();
}

TEST(CudaDevice, names_are_understood) {
  EXPECT_EQ(device_index("cuda"), 0);
  EXPECT_EQ(device_index("cuda:3"), 3);
  EXPECT_THROW(device_index("cuda:"), Error);
  EXPECT_THROW(device_index("cuda:1x"), Error);
  EXPECT_THROW(device_index("cuda:-1"), Error);
  EXPECT_THROW(use_device("cuda:1"), Error);
}

}  // namespace layerwise::test
