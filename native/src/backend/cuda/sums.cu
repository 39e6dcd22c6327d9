// Sums in a fixed order over what blocks left behind.
#include <type_traits>

#include "backend/cuda/device_code.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

// Σ over pieces of a whole tensor: the weight gradient's.
//
// Threads: each takes 16 bytes, 4 elements, of every `down`-th piece; neighbours in a warp take neighbours in memory. Sums
// of the `down` threads that have the same elements are added up in their order. `down` makes small tensors occupy the
// device; it follows from the sizes alone. The thread at the end takes what is left one by one.
// Bytes: 4 · (pieces + 1) · elements. Floor on an H100: that / 3.0 TB/s.

constexpr int sum_threads = 256;
constexpr int sum_vector = 4;

template <int width>
__device__ __forceinline__ void sum_pieces_at(float (&total)[width], const float* pieces, int first, int step, int count,
                                              int64_t elements, int64_t at) {
  for (int piece = first; piece < count; piece += step) {
    float values[width];
    const float* const from = pieces + piece * elements + at;
    if constexpr (width == 1)
      values[0] = *from;
    else
      load_elements(from, values);
    LAYERWISE_UNROLL
    for (int i = 0; i < width; ++i) total[i] += values[i];
  }
}

template <int down>
__global__ void __launch_bounds__(sum_threads)
    sum_pieces_kernel(float* sum, const float* pieces, int count, int64_t elements) {
  begin_kernel();
  constexpr int across = sum_threads / down;
  LAYERWISE_SHARED(float, sums, [down][across][sum_vector]);
  const int thread = static_cast<int>(threadIdx.x) % across, first = static_cast<int>(threadIdx.x) / across;
  const int64_t begin = (blockIdx.x * static_cast<int64_t>(across) + thread) * sum_vector;
  float total[sum_vector] = {};
  if (begin + sum_vector <= elements && elements % sum_vector == 0) {
    sum_pieces_at(total, pieces, first, down, count, elements, begin);
  } else {
    LAYERWISE_UNROLL
    for (int i = 0; i < sum_vector; ++i) {
      float one[1] = {};
      if (begin + i < elements) sum_pieces_at(one, pieces, first, down, count, elements, begin + i);
      total[i] = one[0];
    }
  }
  if constexpr (down > 1) {
    store_elements(sums[first][thread], total);
    __syncthreads();
    if (first > 0) return;
    for (int other = 1; other < down; ++other)
      LAYERWISE_UNROLL
      for (int i = 0; i < sum_vector; ++i) total[i] += sums[other][thread][i];
  }
  LAYERWISE_UNROLL
  for (int i = 0; i < sum_vector; ++i)
    if (begin + i < elements) sum[begin + i] = total[i];
}

// Two sums per channel over the rows of a matrix of pairs (rows, C, 2): batch norm's, d_bias.
//
// Threads: a block takes 4 channels, a sector, with 256 threads per channel that take every 256th row; their sums, of
// double, are added up in a tree. Bytes: 8 · rows · C, which are few.

constexpr int pair_channels = 4;
constexpr int pair_threads = 1024;

__global__ void __launch_bounds__(pair_threads)
    sum_pairs_kernel(const float2* pairs, int rows, int channels, float* first, float* second,
                     const float* second_variance, float epsilon) {
  begin_kernel();
  LAYERWISE_SHARED(double, sums, [2][pair_threads]);
  const int thread = static_cast<int>(threadIdx.x);
  const int channel = static_cast<int>(blockIdx.x) * pair_channels + thread % pair_channels;
  double x = 0, y = 0;
  if (channel < channels) {
    for (int row = thread / pair_channels; row < rows; row += pair_threads / pair_channels) {
      const float2 pair = pairs[static_cast<int64_t>(row) * channels + channel];
      x += pair.x;
      y += pair.y;
    }
  }
  sums[0][thread] = x;
  sums[1][thread] = y;
  for (int half = pair_threads / 2; half >= pair_channels; half /= 2) {
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
  constexpr int64_t enough_threads = 132 * 2 * sum_threads;
  const int64_t elements = sum.shape.elements(), vectors = (elements + sum_vector - 1) / sum_vector;
  const auto launch = [&](auto down) {
    constexpr int threads_down = decltype(down)::value;
    LAYERWISE_LAUNCH((sum_pieces_kernel<threads_down>), blocks_for(vectors, sum_threads / threads_down), sum_threads, 0,
                     device.stream, sum.as<float>(), static_cast<const float*>(pieces.as<float>()), count, elements);
  };
  if (vectors >= enough_threads || count < 8) return launch(std::integral_constant<int, 1>{});
  if (vectors * 4 >= enough_threads || count < 32) return launch(std::integral_constant<int, 4>{});
  launch(std::integral_constant<int, 16>{});
}

void sum_pairs(const Device& device, const Tensor& pairs, int64_t rows, const Tensor& first, const Tensor& second,
               const Tensor& variance) {
  const int64_t channels = first.shape.elements();
  LAYERWISE_LAUNCH(sum_pairs_kernel, blocks_for(channels, pair_channels), pair_threads, 0, device.stream,
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
