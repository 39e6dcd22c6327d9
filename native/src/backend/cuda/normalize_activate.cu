// Batch norm, shortcut, activation, average pooling, channel dropout and 2×2 max-pooling in one pass over y, and
// the running statistics.
//
// Blocks: a band of rows of one sample's map, of `lanes` times `width` neighbouring channels; bands hold whole
// windows of both poolings, or all rows where those do not fit together. Threads: `width` channels, 16 bytes where
// everything is aligned to that and else one channel, side by side in a warp, of 2×2 positions, one below the other
// down the band. A thread works out the coefficients of its channels, dropout's among them, once; the four
// positions are loaded at a time. Sums of average pooling grow in shared memory, one per column and channel, each
// of which belongs to one thread; where a row of windows ends the block adds up the columns of each. The first
// block of each slice of channels moves the running statistics on.
// Bytes: elements · size · (2, + 1 with a shortcut, + 1 with an output, or 1/4 where it is max-pooled), and
// pooled · size. FLOPs: about 5 per element, and about 100 integer operations per 4 dropout factors.
// Floor on an H100: these bytes / 3.0 TB/s.
#include "backend/backend.h"
#include "backend/cuda/dropout.cuh"
#include "backend/cuda/operations.h"
#include "backend/cuda/row_tiles.cuh"

namespace layerwise::cuda {

constexpr int normalize_threads = 256;  // at most

template <class T>
struct NormalizeArguments {
  const T* y;
  const float* mean;       // null: no batch norm
  const float* variance;
  const float* scale;
  const float* shift;
  float* running_mean;     // or null
  float* running_variance;
  float kept_part, new_part;  // of the running statistics: 1 − momentum, momentum
  float unbiased;             // variance · this is unbiased
  const T* shortcut;       // or null
  float negative_slope;
  T* h;
  T* pooled;               // or null
  AveragePooling pooling;
  int pooled_height, pooled_width;
  DropoutArguments dropout;  // threshold 0: none
  bool max_pool;
  T* output;               // or null
  int height, width, channels;
  int lanes, slices, bands, band_rows;
};

/// What a thread knows of its channels: batch norm is scale · y + shift, the mean's part being in the shift.
template <int width>
struct ChannelFactors {
  float scale[width], shift[width], dropout[width];
};

template <int width, class T>
__device__ __forceinline__ void prepare_channels(const NormalizeArguments<T>& a, int64_t sample, int channel,
                                                 ChannelFactors<width>& factors) {
  for (int i = 0; i < width; ++i) {
    factors.scale[i] = 1;
    factors.shift[i] = 0;
    factors.dropout[i] = 1;
    if (a.mean == nullptr) continue;
    const int c = channel + i;
    factors.scale[i] = a.scale[c] / sqrtf(a.variance[c] + static_cast<float>(batch_norm_epsilon));
    factors.shift[i] = fmaf(-factors.scale[i], a.mean[c], a.shift[c]);
  }
  if (a.dropout.threshold > 0)
    dropout_factors(a.dropout, a.channels, sample * a.channels + channel, factors.dropout);
}

template <int width, class T>
__device__ __forceinline__ void move_running_statistics(const NormalizeArguments<T>& a, int channel) {
  for (int c = channel; c < channel + width; ++c) {
    a.running_mean[c] = a.kept_part * a.running_mean[c] + a.new_part * a.mean[c];
    a.running_variance[c] = a.kept_part * a.running_variance[c] + a.new_part * (a.unbiased * a.variance[c]);
  }
}

/// `width` elements as they lie in memory.
template <int width, class T>
struct StoredChannels {
  std::conditional_t<width == 1, T, Vector16> raw;

  __device__ __forceinline__ void load(const T* from) {
    if constexpr (width == 1)
      raw = *from;
    else
      raw = load_vector(from);
  }
  __device__ __forceinline__ void get(float (&values)[width]) const {
    if constexpr (width == 1)
      values[0] = load_element(&raw);
    else
      unpack(raw, values);
  }
};

/// Sums of average pooling over the rows of a window that are done, per column: [parity of the row of
/// windows][channel of the vector][column's parity][pair of columns][lane]; neighbours in a warp lie side by side.
template <int width>
struct ColumnSums {
  float* sums;
  int pairs, lanes;

  __device__ __forceinline__ float& at(int window_row, int i, int column, int lane) const {
    return sums[((((window_row & 1) * width + i) * 2 + (column & 1)) * pairs + column / 2) * lanes + lane];
  }
};

/// Average pooling's row of windows to which a row of the map belongs, and whether that is its first or last row
/// in the map; a row below the map is neither.
struct WindowRow {
  int index;
  bool begins, ends;
};

template <class T>
__device__ __forceinline__ WindowRow window_row_of(const NormalizeArguments<T>& a, int row) {
  const int kernel = static_cast<int>(a.pooling.kernel_height), padding = static_cast<int>(a.pooling.padding_height);
  const int index = (row + padding) / kernel;
  return {index, row == max(0, index * kernel - padding) && row < a.height,
          row == min(a.height, (index + 1) * kernel - padding) - 1};
}

/// One 2×2 square of the map, at (row, column), the parts of it that lie in the map.
template <class T, int width>
__device__ __forceinline__ void do_square(const NormalizeArguments<T>& a, const ChannelFactors<width>& factors,
                                          const ColumnSums<width>& sums, const WindowRow (&windows)[2],
                                          int64_t sample, int row, int column, int channel, int lane) {
  StoredChannels<width, T> y[4], shortcut[4];
  const int64_t begin = ((sample * a.height + row) * a.width + column) * a.channels + channel;
  const auto inside = [&](int i) { return row + i / 2 < a.height && column + i % 2 < a.width; };
  const auto at = [&](int i) { return begin + (i / 2 * a.width + i % 2) * a.channels; };
  LAYERWISE_UNROLL
  for (int i = 0; i < 4; ++i) {
    if (!inside(i)) continue;
    y[i].load(a.y + at(i));
    if (a.shortcut != nullptr) shortcut[i].load(a.shortcut + at(i));
  }
  float best[width] = {};
  LAYERWISE_UNROLL
  for (int i = 0; i < 4; ++i) {
    if (!inside(i)) continue;
    float h[width];
    y[i].get(h);
    for (int j = 0; j < width; ++j) h[j] = fmaf(factors.scale[j], h[j], factors.shift[j]);
    if (a.shortcut != nullptr) {
      float addend[width];
      shortcut[i].get(addend);
      for (int j = 0; j < width; ++j) h[j] += addend[j];
    }
    for (int j = 0; j < width; ++j) h[j] = h[j] > 0 ? h[j] : a.negative_slope * h[j];
    store_channels(a.h + at(i), h);
    if (a.pooled != nullptr) {
      for (int j = 0; j < width; ++j) {
        float& sum = sums.at(windows[i / 2].index, j, column + i % 2, lane);
        sum = windows[i / 2].begins ? h[j] : sum + h[j];
      }
    }
    if (a.max_pool) {
      for (int j = 0; j < width; ++j) best[j] = i == 0 || h[j] > best[j] ? h[j] : best[j];
    } else if (a.output != nullptr) {
      for (int j = 0; j < width; ++j) h[j] *= factors.dropout[j];
      store_channels(a.output + at(i), h);
    }
  }
  if (a.max_pool && inside(3)) {
    for (int j = 0; j < width; ++j) best[j] *= factors.dropout[j];
    const int64_t window = (sample * (a.height / 2) + row / 2) * (a.width / 2) + column / 2;
    store_channels(a.output + window * a.channels + channel, best);
  }
}

/// Adds up the columns of one row of windows. All threads of the block take part.
template <class T, int width>
__device__ __forceinline__ void finish_windows(const NormalizeArguments<T>& a, const ColumnSums<width>& sums,
                                               int64_t sample, int window_row, int first_channel) {
  const int kernel = static_cast<int>(a.pooling.kernel_width), padding = static_cast<int>(a.pooling.padding_width);
  const auto area = static_cast<float>(a.pooling.kernel_height * a.pooling.kernel_width);
  const int in_slice = min(a.lanes * width, a.channels - first_channel);
  T* const to = a.pooled + ((sample * a.pooled_height + window_row) * a.pooled_width) * a.channels + first_channel;
  for (int item = static_cast<int>(threadIdx.x); item < a.pooled_width * in_slice;
       item += static_cast<int>(blockDim.x)) {
    const int window = item / in_slice, channel = item % in_slice;
    const int end = min(a.width, (window + 1) * kernel - padding);
    float sum = 0;
    for (int column = max(0, window * kernel - padding); column < end; ++column)
      sum += sums.at(window_row, channel % width, column, channel / width);
    store_element(to + static_cast<int64_t>(window) * a.channels + channel, sum / area);
  }
}

template <class T, int width>
__global__ void __launch_bounds__(normalize_threads, 2) normalize_activate_kernel(NormalizeArguments<T> a) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(float, shared);
  const int slice = static_cast<int>(blockIdx.x % a.slices);
  const int64_t map = blockIdx.x / a.slices;
  const int64_t sample = map / a.bands;
  const int band_begin = static_cast<int>(map % a.bands) * a.band_rows - static_cast<int>(a.pooling.padding_height);
  const int band_end = min(a.height, band_begin + a.band_rows);

  const int lane = static_cast<int>(threadIdx.x) % a.lanes;
  const int first_pair = static_cast<int>(threadIdx.x) / a.lanes, pair_step = static_cast<int>(blockDim.x) / a.lanes;
  const int first_channel = slice * a.lanes * width, channel = first_channel + lane * width;
  const bool has_channels = channel < a.channels;
  const int pairs = (a.width + 1) / 2;
  const ColumnSums<width> sums{shared, pairs, a.lanes};

  ChannelFactors<width> factors{};
  if (has_channels) {
    prepare_channels(a, sample, channel, factors);
    if (a.running_mean != nullptr && map == 0 && first_pair == 0) move_running_statistics<width>(a, channel);
  }
  for (int row = max(0, band_begin); row < band_end; row += 2) {
    const WindowRow windows[2] = {window_row_of(a, row), window_row_of(a, row + 1)};
    if (has_channels)
      for (int pair = first_pair; pair < pairs; pair += pair_step)
        do_square(a, factors, sums, windows, sample, row, 2 * pair, channel, lane);
    if (a.pooled == nullptr) continue;
    for (int r = row; r < row + 2; ++r) {  // not windows[r − row], which would put that array in memory
      const WindowRow window = window_row_of(a, r);
      if (!window.ends || window.index >= a.pooled_height) continue;
      __syncthreads();
      finish_windows(a, sums, sample, window.index, first_channel);
      __syncthreads();
    }
  }
}

namespace {

constexpr int64_t rows_of_a_band = 8;  // about
constexpr int64_t most_shared_floats = (48 << 10) / sizeof(float);

/// Shared memory for the sums of average pooling, in floats.
int64_t column_sums(int64_t map_width, int64_t lanes, int64_t width) { return 4 * width * ((map_width + 1) / 2) * lanes; }

/// Rows of a band. Its first row, after the padding, is even, and the windows of average pooling do not cross bands.
int64_t band_rows(const NormalizeActivate& op) {
  const AveragePooling& pooling = op.average_pooling;
  if (!op.pooled) return rows_of_a_band;
  if (pooling.padding_height % 2 != 0) return op.y.shape.h + pooling.padding_height;
  const int64_t unit = pooling.kernel_height % 2 == 0 ? pooling.kernel_height : 2 * pooling.kernel_height;
  return (rows_of_a_band + unit - 1) / unit * unit;
}

template <class T>
NormalizeArguments<T> make_arguments(const Device& device, const NormalizeActivate& op) {
  const Shape& shape = op.y.shape;
  const int64_t samples = op.statistics_samples > 0 ? op.statistics_samples : shape.n;
  const auto count = static_cast<double>(samples * shape.positions());
  NormalizeArguments<T> arguments{};
  arguments.y = op.y.as<T>();
  arguments.mean = op.mean.as<float>();
  arguments.variance = op.variance.as<float>();
  arguments.scale = op.scale.as<float>();
  arguments.shift = op.shift.as<float>();
  arguments.running_mean = op.running_mean.as<float>();
  arguments.running_variance = op.running_variance.as<float>();
  arguments.kept_part = static_cast<float>(1 - op.momentum);
  arguments.new_part = static_cast<float>(op.momentum);
  arguments.unbiased = static_cast<float>(count > 1 ? count / (count - 1) : 1);
  arguments.shortcut = op.shortcut.as<T>();
  arguments.negative_slope = static_cast<float>(op.negative_slope);
  arguments.h = op.h.as<T>();
  arguments.pooled = op.pooled.as<T>();
  if (op.pooled) arguments.pooling = op.average_pooling;
  arguments.pooled_height = static_cast<int>(op.pooled.shape.h);
  arguments.pooled_width = static_cast<int>(op.pooled.shape.w);
  arguments.dropout = dropout_arguments(op.dropout, device.step);
  arguments.max_pool = op.max_pool;
  arguments.output = op.output.as<T>();
  arguments.height = static_cast<int>(shape.h);
  arguments.width = static_cast<int>(shape.w);
  arguments.channels = static_cast<int>(shape.c);
  arguments.band_rows = static_cast<int>(band_rows(op));
  arguments.bands = static_cast<int>(blocks_for(shape.h + arguments.pooling.padding_height, arguments.band_rows));
  return arguments;
}

template <class T, int width>
void launch(const Device& device, const NormalizeActivate& op) {
  const Shape& shape = op.y.shape;
  NormalizeArguments<T> arguments = make_arguments<T>(device, op);
  const int64_t pairs = (shape.w + 1) / 2, vectors = shape.c / width;
  int lanes = lanes_along_channels(vectors, pairs, width, normalize_threads);
  int64_t floats = 0;
  if (op.pooled) {
    while (lanes > 1 && column_sums(shape.w, lanes, width) > most_shared_floats) lanes /= 2;
    floats = column_sums(shape.w, lanes, width);
    require(floats <= most_shared_floats, "maps of ", shape.w, " columns are too wide to be pooled on a CUDA device");
  }
  arguments.lanes = lanes;
  arguments.slices = static_cast<int>(blocks_for(vectors, lanes));
  const auto threads = static_cast<unsigned>(std::min<int64_t>(normalize_threads, (lanes * pairs + 31) / 32 * 32));
  LAYERWISE_LAUNCH((normalize_activate_kernel<T, width>),
                   static_cast<unsigned>(shape.n * arguments.bands * arguments.slices), threads,
                   static_cast<size_t>(floats) * sizeof(float), device.stream, arguments);
}

}  // namespace

void normalize_activate(Device& device, const NormalizeActivate& op) {
  with_storage(op.y.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const bool fits = !op.pooled || column_sums(op.y.shape.w, 1, vector_elements<T>) <= most_shared_floats;
    with_width<T>(fits && has_vector_rows<T>(op.y.shape.c, {op.y, op.shortcut, op.h, op.output}),
                  [&](auto width) { launch<T, decltype(width)::value>(device, op); });
  });
}

}  // namespace layerwise::cuda
