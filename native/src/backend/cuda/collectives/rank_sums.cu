// What a rank does with what all ranks have sent.
#include "backend/cuda/collectives/rank_sums.h"

#include "backend/cuda/device_code.h"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

constexpr int rank_sum_threads = 256;

// Σ over ranks, in double and in rank order, as the host adds it (processes/communicator.cpp).
//
// Threads: each takes one element of every rank's part; neighbours in a warp take neighbours in memory. Parts begin anywhere,
// so vectors would not be aligned. Bytes: 4 · (ranks + 1) · count. Floor on an H100: that / 3.0 TB/s.
__global__ void __launch_bounds__(rank_sum_threads)
    sum_ranks_kernel(const float* parts, int ranks, int64_t count, double factor, float* to) {
  begin_kernel();
  const int64_t at = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (at >= count) return;
  double sum = parts[at];
  for (int rank = 1; rank < ranks; ++rank) sum += double{parts[rank * count + at]};
  to[at] = static_cast<float>(factor * double{static_cast<float>(sum)});
}

void sum_ranks(cudaStream_t stream, const float* parts, int ranks, int64_t count, double factor, float* to) {
  if (count == 0) return;
  LAYERWISE_LAUNCH(sum_ranks_kernel, blocks_for(count, rank_sum_threads), rank_sum_threads, 0, stream, parts, ranks, count,
                   factor, to);
}

// Moments of one rank as one message. Threads: one per channel. Bytes: 16 · channels.
__global__ void __launch_bounds__(rank_sum_threads)
    pack_moments_kernel(const float* mean, const float* variance, int channels, double count, float* packed) {
  begin_kernel();
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (channel == 0) *reinterpret_cast<double*>(packed) = count;
  if (channel >= channels) return;
  packed[2 + channel] = mean[channel];
  packed[2 + channels + channel] = variance[channel];
}

void pack_moments(cudaStream_t stream, const float* mean, const float* variance, int64_t channels, int64_t count,
                  float* packed) {
  LAYERWISE_LAUNCH(pack_moments_kernel, blocks_for(channels, rank_sum_threads), rank_sum_threads, 0, stream, mean, variance,
                   static_cast<int>(channels), static_cast<double>(count), packed);
}

// Moments of all ranks' values from those of each:
//   mean = Σ nᵢ/n · meanᵢ, variance = Σ nᵢ/n · (varianceᵢ + (meanᵢ − mean)²).
//
// Threads: one per channel, which reads all ranks' moments twice. Bytes: 8 · (ranks + 1) · channels.
__global__ void __launch_bounds__(rank_sum_threads)
    merge_rank_moments_kernel(const float* packed, int ranks, int channels, float* mean, float* variance) {
  begin_kernel();
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (channel >= channels) return;
  const int width = 2 + 2 * channels;
  const auto of = [&](int rank) { return packed + static_cast<int64_t>(rank) * width; };
  const auto count_of = [&](int rank) { return *reinterpret_cast<const double*>(of(rank)); };
  double total = 0, merged_mean = 0, merged_variance = 0;
  for (int rank = 0; rank < ranks; ++rank) total += count_of(rank);
  for (int rank = 0; rank < ranks; ++rank) merged_mean += count_of(rank) / total * double{of(rank)[2 + channel]};
  for (int rank = 0; rank < ranks; ++rank) {
    const double apart = double{of(rank)[2 + channel]} - merged_mean;
    merged_variance += count_of(rank) / total * (double{of(rank)[2 + channels + channel]} + apart * apart);
  }
  mean[channel] = static_cast<float>(merged_mean);
  variance[channel] = static_cast<float>(merged_variance);
}

void merge_rank_moments(cudaStream_t stream, const float* packed, int ranks, int64_t channels, float* mean,
                        float* variance) {
  LAYERWISE_LAUNCH(merge_rank_moments_kernel, blocks_for(channels, rank_sum_threads), rank_sum_threads, 0, stream, packed,
                   ranks, static_cast<int>(channels), mean, variance);
}

}  // namespace layerwise::cuda
