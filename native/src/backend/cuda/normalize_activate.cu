#include "backend/cuda/normalize_activate.cuh"

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

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
  const auto count = static_cast<double>(shape.n * shape.positions());
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
