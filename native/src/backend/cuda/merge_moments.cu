// Mean and spread per channel, or per sample and channel, from the pieces that the forward epilogue (epilogues.cuh,
// MomentPieces) or the blocks of moments_of_tensor.cu left.
//
// Threads: a block takes `across` channels of one sample ("sample" being the whole batch for moments per channel), with
// blockDim.x / across threads per channel that take every (blockDim.x / across)-th piece; their sums are added up in a
// tree. Few pieces are left to one thread per channel, of many channels; many pieces to many threads, of the four channels
// that a sector holds. Sums of pieces are double, and relative to the first piece's mean:
//   M₂ = Σ M₂ᵢ + Σ nᵢ (meanᵢ − k)² − n (mean − k)².
// Bytes: 8 · pieces · channels, a 16th or less of what they are of. FLOPs: none that show.
#include "backend/cuda/merge_moments.h"

#include "backend/cuda/device_code.h"

namespace layerwise::cuda {

constexpr int most_merge_threads = 256;
constexpr int few_pieces = 32, channels_of_few = 64, channels_of_many = 4;

struct MergeMomentsArguments {
  const float2* pieces;  // (samples, slots, channels)
  int channels, slots;
  int positions;         // rows per sample
  int rows_per_piece;
  bool begin_with_samples;
  const float* bias;     // added to the mean, or null
  bool deviation;        // spread: the unbiased standard deviation; otherwise the biased variance
  float *mean, *spread;  // (samples, channels)
};

template <int merge_channels, int most_threads>
__global__ void __launch_bounds__(most_threads) merge_moments_kernel(MergeMomentsArguments a) {
  begin_kernel();
  LAYERWISE_SHARED(double, sums, [3][most_threads]);
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int channel = static_cast<int>(blockIdx.x) * merge_channels + thread % merge_channels;
  const int64_t sample = blockIdx.y;
  const int64_t begin = a.begin_with_samples ? 0 : sample * a.positions, end = begin + a.positions;
  const int64_t first_group = begin / a.rows_per_piece;
  const bool active = channel < a.channels;
  const float2* const pieces = a.pieces + sample * a.slots * a.channels + channel;
  const double shift = active ? double{pieces[0].x} : 0;
  double weighted = 0, between = 0, within = 0;
  if (active) {
    for (int slot = thread / merge_channels; slot < a.slots; slot += threads / merge_channels) {
      const int64_t from = max(begin, (first_group + slot) * a.rows_per_piece);
      const int64_t to = min(end, (first_group + slot + 1) * a.rows_per_piece);
      if (from >= to) continue;
      const float2 piece = pieces[static_cast<int64_t>(slot) * a.channels];
      const double count = static_cast<double>(to - from), distance = piece.x - shift;
      weighted += count * distance;
      between += count * distance * distance;
      within += piece.y;
    }
  }
  sums[0][thread] = weighted;
  sums[1][thread] = between;
  sums[2][thread] = within;
  for (int half = threads / 2; half >= merge_channels; half /= 2) {
    __syncthreads();
    if (thread < half)
      for (int i = 0; i < 3; ++i) sums[i][thread] += sums[i][thread + half];
  }
  if (thread >= merge_channels || !active) return;
  const double count = a.positions, mean = sums[0][thread] / count;
  const double squares = max(0.0, sums[2][thread] + sums[1][thread] - count * mean * mean);
  const int64_t at = sample * a.channels + channel;
  a.mean[at] = static_cast<float>(mean + shift + (a.bias != nullptr ? a.bias[channel] : 0.0f));
  a.spread[at] = static_cast<float>(a.deviation ? (count > 1 ? sqrt(squares / (count - 1)) : 0.0) : squares / count);
}

void merge_moments(const Device& device, const MomentPieceLayout& layout, const Tensor& pieces, const Tensor& bias,
                   bool deviations, const Tensor& mean, const Tensor& spread) {
  MergeMomentsArguments arguments{};
  arguments.pieces = static_cast<const float2*>(pieces.data);
  arguments.channels = static_cast<int>(layout.channels);
  arguments.slots = static_cast<int>(layout.slots);
  arguments.positions = static_cast<int>(layout.positions);
  arguments.rows_per_piece = static_cast<int>(layout.rows_per_piece);
  arguments.begin_with_samples = layout.begin_with_samples;
  arguments.bias = bias.as<float>();
  arguments.deviation = deviations;
  arguments.mean = mean.as<float>();
  arguments.spread = spread.as<float>();
  const auto blocks = [&](int channels) {
    return dim3(blocks_for(layout.channels, channels), static_cast<unsigned>(layout.samples));
  };
  if (layout.slots <= few_pieces) {
    LAYERWISE_LAUNCH((merge_moments_kernel<channels_of_few, channels_of_few>), blocks(channels_of_few), channels_of_few, 0,
                     device.stream, arguments);
    return;
  }
  int threads = few_pieces * channels_of_many;
  while (threads < layout.slots * channels_of_many && threads < most_merge_threads) threads *= 2;
  LAYERWISE_LAUNCH((merge_moments_kernel<channels_of_many, most_merge_threads>), blocks(channels_of_many), threads, 0,
                   device.stream, arguments);
}

}  // namespace layerwise::cuda
