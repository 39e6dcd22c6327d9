// Batch norm, activation, average pooling for the classifier, dropout and max-pooling: one pass.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

/// scale / sqrt(variance + ε) per channel; absent without batch norm.
ArenaTensor multipliers(Device& device, const NormalizeActivate& op) {
  if (!op.mean) return {};
  const int64_t channels = op.y.shape.c;
  ArenaTensor result = take_floats(device, 1, channels);
  const float* variance = op.variance.as<float>();
  for (int64_t c = 0; c < channels; ++c)
    result.view().as<float>()[c] = static_cast<float>(op.scale.as<float>()[c] * inverse_deviation(variance[c]));
  return result;
}

void update_running_statistics(const NormalizeActivate& op) {
  const int64_t samples = op.statistics_samples > 0 ? op.statistics_samples : op.y.shape.n;
  const int64_t count = samples * op.y.shape.positions();
  const double unbiased = count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1;
  const auto move = [&op](float& running, double value) {
    running = static_cast<float>((1 - op.momentum) * running + op.momentum * value);
  };
  for (int64_t c = 0; c < op.y.shape.c; ++c) {
    move(op.running_mean.as<float>()[c], op.mean.as<float>()[c]);
    move(op.running_variance.as<float>()[c], unbiased * op.variance.as<float>()[c]);
  }
}

/// One sample's maps. Two rows of h at a time are made and, while they are in the nearest cache, pooled.
/// sums: where the averages are summed, before they are rounded to A.
template <class A>
class Sample {
 public:
  Sample(const Device& device, const NormalizeActivate& op, const float* multiplier, const float* factors, float* sums,
         int64_t n)
      : loops_(device.loops.of<A>()), op_(op), shape_(op.y.shape), multiplier_(multiplier),
        factor_(factors == nullptr ? nullptr : factors + n * shape_.c), sums_(sums), first_(n * shape_.features()),
        n_(n) {}

  void run() const {
    const int64_t averages = op_.pooled.shape.features();
    if (op_.pooled) std::fill_n(sums_, averages, 0.0f);
    for (int64_t row = 0; row < shape_.h; row += 2) {
      const int64_t rows = std::min<int64_t>(2, shape_.h - row);
      normalize(row, rows);
      if (op_.pooled)
        for (int64_t r = row; r < row + rows; ++r) average(r);
      if (op_.output) finish(row, rows);
    }
    if (op_.pooled && op_.pooled.type != DataType::float32)
      loops_.narrow(sums_, averages, op_.pooled.as<A>() + n_ * averages);
  }

 private:
  int64_t row_elements() const { return shape_.w * shape_.c; }
  const A* at(const Tensor& tensor, int64_t row) const {
    return tensor ? tensor.as<A>() + first_ + row * row_elements() : nullptr;
  }
  A* h(int64_t row) const { return op_.h.as<A>() + first_ + row * row_elements(); }

  void normalize(int64_t row, int64_t rows) const {
    loops_.normalize_activate(at(op_.y, row), op_.mean.as<float>(), multiplier_, op_.shift.as<float>(),
                              at(op_.shortcut, row), static_cast<float>(op_.negative_slope), rows * shape_.w, shape_.c,
                              h(row));
  }

  void average(int64_t row) const {
    const AveragePooling& pooling = op_.average_pooling;
    const Shape& windows = op_.pooled.shape;
    const int64_t window = (row + pooling.padding_height) / pooling.kernel_height;
    if (window >= windows.h) return;
    const float weight = 1.0f / static_cast<float>(pooling.kernel_height * pooling.kernel_width);
    loops_.average_pool_row(h(row), shape_.w, shape_.c, pooling.kernel_width, pooling.padding_width, windows.w, weight,
                            sums_ + window * windows.w * windows.c);
  }

  void finish(int64_t row, int64_t rows) const {
    A* const output = op_.output.as<A>() + n_ * op_.output.shape.features();
    if (op_.max_pool) {
      const int64_t windows = op_.output.shape.w;
      if (rows == 2) loops_.max_pool_rows(h(row), h(row + 1), factor_, windows, shape_.c,
                                          output + row / 2 * windows * shape_.c);
    } else if (factor_ != nullptr) {
      loops_.scale_channels(h(row), factor_, rows * shape_.w, shape_.c, output + row * row_elements());
    } else {
      std::copy_n(h(row), rows * row_elements(), output + row * row_elements());
    }
  }

  const StorageLoops<A>& loops_;
  const NormalizeActivate& op_;
  const Shape shape_;
  const float* multiplier_;
  const float* factor_;
  float* sums_;
  const int64_t first_;  // element of the sample
  const int64_t n_;
};

}  // namespace

void normalize_activate(Device& device, const NormalizeActivate& op) {
  const ArenaTensor multiplier = multipliers(device, op);
  const ArenaTensor factors = dropout_factors(device, op.dropout, op.y.shape.n, op.y.shape.c);
  const Partition pieces = partition_items(op.y.shape.n, op.y.shape.features());
  const int64_t averages = op.pooled.shape.features();
  ArenaTensor sums;
  if (op.pooled && op.pooled.type != DataType::float32) sums = take_floats(device, pieces.count(), averages);
  with_storage(op.y.type, [&](auto a) {
    parallel_for(pieces.count(), [&](int64_t i) {
      for (int64_t n = pieces.begin(i); n < pieces.end(i); ++n) {
        float* const sums_of_sample = sums ? sums.view().as<float>() + i * sums.view().shape.c
                                           : op.pooled.as<float>() + n * averages;
        Sample<decltype(a)>(device, op, multiplier.view().as<float>(), factors.view().as<float>(), sums_of_sample, n)
            .run();
      }
    });
  });
  if (op.running_mean) update_running_statistics(op);
}

}  // namespace layerwise::cpu
