// Sums in a fixed order over what blocks left behind.
#include <type_traits>

#include "backend/cuda/device_code.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

// Σ over pieces of a whole tensor: the weight gradient's.
//
// Threads: each takes 16 bytes, 4 elements; neighbours in a warp take neighbours in memory. The thread at
// the end takes what is left one by one.
// Bytes: 4 · (pieces + 1) · elements. Floor on an H100: that / 3.0 TB/s.

constexpr int sum_threads = 256;
constexpr int sum_vector = 4;

template <int width>
__device__ __forceinline__ void sum_pieces_at(float* sum, const float* pieces, int count, int64_t elements,
                                              int64_t at) {
  float total[width] = {};
  for (int piece = 0; piece < count; ++piece) {
    float values[width];
    const float* const from = pieces + piece * elements + at;
    if constexpr (width == 1)
      values[0] = *from;
    else
      load_elements(from, values);
    LAYERWISE_UNROLL
    for (int i = 0; i < width; ++i) total[i] += values[i];
  }
  for (int i = 0; i < width; ++i) sum[at + i] = total[i];
}

__global__ void __launch_bounds__(sum_threads)
    sum_pieces_kernel(float* sum, const float* pieces, int count, int64_t elements) {
  begin_kernel();
  const int64_t begin = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * sum_vector;
  if (begin + sum_vector <= elements && elements % sum_vector == 0) {
    sum_pieces_at<sum_vector>(sum, pieces, count, elements, begin);
  } else {
    for (int64_t at = begin; at < min(begin + sum_vector, elements); ++at)
      sum_pieces_at<1>(sum, pieces, count, elements, at);
  }
}

// Two sums per channel over the rows of a matrix of pairs (rows, C, 2): batch norm's, d_bias.
//
// Threads: a block takes 8 channels, with 32 threads per channel that take every 32nd row; their sums, of
// double, are added up in a tree. Bytes: 8 · rows · C, which are few.

constexpr int pair_channels = 8;

__global__ void __launch_bounds__(sum_threads)
    sum_pairs_kernel(const float2* pairs, int rows, int channels, float* first, float* second,
                     const float* second_variance, float epsilon) {
  begin_kernel();
  LAYERWISE_SHARED(double, sums, [2][sum_threads]);
  const int thread = static_cast<int>(threadIdx.x);
  const int channel = static_cast<int>(blockIdx.x) * pair_channels + thread % pair_channels;
  double x = 0, y = 0;
  if (channel < channels) {
    for (int row = thread / pair_channels; row < rows; row += sum_threads / pair_channels) {
      const float2 pair = pairs[static_cast<int64_t>(row) * channels + channel];
      x += pair.x;
      y += pair.y;
    }
  }
  sums[0][thread] = x;
  sums[1][thread] = y;
  for (int half = sum_threads / 2; half >= pair_channels; half /= 2) {
    __syncthreads();
    if (thread >= half) continue;
    sums[0][thread] += sums[0][thread + half];
    sums[1][thread] += sums[1][thread + half];
  }
  if (thread >= pair_channels || channel >= channels) return;
  first[channel] = static_cast<float>(sums[0][thread]);
  if (second == nullptr) return;
  const double scale =
      second_variance != nullptr ? 1 / sqrt(double{second_variance[channel]} + double{epsilon}) : 1.0;
  second[channel] = static_cast<float>(sums[1][thread] * scale);
}

// Sums of the columns of a matrix, for sum_pairs_kernel: d_bias without batch norm.
//
// Threads: a block takes 32 columns and `column_rows` rows, 8 threads per column that take every 8th row; a
// warp reads 32 neighbours. Bytes: size · rows · C. Floor on an H100: that / 3.0 TB/s.

constexpr int column_rows = 256;
constexpr int sum_columns = 32;

template <class T>
__global__ void __launch_bounds__(sum_threads)
    sum_columns_kernel(const T* matrix, int rows, int columns, float2* pairs) {
  begin_kernel();
  constexpr int threads_down = sum_threads / sum_columns;
  LAYERWISE_SHARED(float, sums, [threads_down][sum_columns]);
  const int across = static_cast<int>(threadIdx.x) % sum_columns, down = static_cast<int>(threadIdx.x) / sum_columns;
  const int column = static_cast<int>(blockIdx.y) * sum_columns + across;
  const int begin = static_cast<int>(blockIdx.x) * column_rows, end = min(begin + column_rows, rows);
  float sum = 0;
  if (column < columns)
    for (int row = begin + down; row < end; row += threads_down)
      sum += load_element(matrix + static_cast<int64_t>(row) * columns + column);
  sums[down][across] = sum;
  __syncthreads();
  if (down > 0 || column >= columns) return;
  for (int i = 1; i < threads_down; ++i) sum += sums[i][across];
  pairs[static_cast<int64_t>(blockIdx.x) * columns + column] = {sum, 0};
}

void sum_pieces(const Device& device, const Tensor& sum, const Tensor& pieces, int count) {
  const int64_t elements = sum.shape.elements();
  LAYERWISE_LAUNCH(sum_pieces_kernel, blocks_for(elements, sum_threads * sum_vector), sum_threads, 0, device.stream,
                   sum.as<float>(), static_cast<const float*>(pieces.as<float>()), count, elements);
}

void sum_pairs(const Device& device, const Tensor& pairs, int64_t rows, const Tensor& first, const Tensor& second,
               const Tensor& variance) {
  const int64_t channels = first.shape.elements();
  LAYERWISE_LAUNCH(sum_pairs_kernel, blocks_for(channels, pair_channels), sum_threads, 0, device.stream,
                   static_cast<const float2*>(pairs.data), static_cast<int>(rows), static_cast<int>(channels),
                   first.as<float>(), second.as<float>(), static_cast<const float*>(variance.as<float>()),
                   static_cast<float>(batch_norm_epsilon));
}

void sum_channels(const Device& device, const Tensor& values, const Tensor& sums) {
  const int64_t channels = values.shape.c, rows = values.shape.n * values.shape.positions();
  const unsigned row_blocks = blocks_for(rows, column_rows);
  const ArenaTensor pairs = device.arena.take(DataType::float32, {row_blocks, 1, channels, 2});
  with_storage(values.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    LAYERWISE_LAUNCH(sum_columns_kernel<T>, dim3(row_blocks, blocks_for(channels, sum_columns)), sum_threads, 0,
                     device.stream, static_cast<const T*>(values.as<T>()), static_cast<int>(rows),
                     static_cast<int>(channels), static_cast<float2*>(pairs.view().data));
  });
  sum_pairs(device, pairs, row_blocks, sums, {}, {});
}

}  // namespace layerwise::cuda
