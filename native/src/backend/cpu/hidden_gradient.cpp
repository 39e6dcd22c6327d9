// From the losses back to the block's pre-activation.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

/// dh of the similarity branch into g, and its weight gradient.
void similarity_gradient(Device& device, const HiddenGradient& op) {
  if (op.d_deviation) deviation_gradient(device, {op.z, op.mean, op.deviation, op.d_deviation, op.z});
  const Tensor& d_z = op.d_deviation ? op.z : op.d_z;
  convolve_weight_gradient(device, op.similarity_convolution, op.h, d_z, op.d_similarity_weight);
  convolve_data_gradient(device, op.similarity_convolution, d_z, op.similarity_weight, op.g);
}

/// All of the operation: dz on its way into the transforms, what follows the data gradient on its way out.
void hidden_gradient_by_winograd(Device& device, const HiddenGradient& op) {
  const Shape& shape = op.h.shape;
  ArenaTensor coefficients;
  if (op.d_deviation)
    coefficients = deviation_coefficients(device, op.deviation, op.d_deviation, shape.positions());
  const ArenaTensor factors =
      op.d_output ? dropout_factors(device, op.dropout, shape.n, shape.c) : ArenaTensor();
  const Tensor& d_z = op.d_deviation ? op.z : op.d_z;
  const SampleAffine affine{coefficients.view().as<float>(), op.mean.as<float>()};
  with_storage(op.h.type, [&](auto a) {
    device.winograd.weight_gradient<decltype(a)>(op.h, d_z, affine, op.d_similarity_weight);
    device.winograd.hidden_gradient<decltype(a)>(op, d_z, affine, factors.view().as<float>());
  });
}

/// Float sums of Σ g and Σ g · (y − mean) over a row of a map, and their doubles over a piece of the batch.
struct Sums {
  float* part_g = nullptr;
  float* part_gy = nullptr;
  double* total_g = nullptr;
  double* total_gy = nullptr;
};

/// One sample's maps: two rows of g at a time, all of it while they are in the nearest cache. scratch: where the
/// two rows of dh are summed, before they are rounded to A; null where that is float, to sum them in their place.
template <class A>
class Sample {
 public:
  Sample(const Device& device, const HiddenGradient& op, const float* factors, const Sums& sums, float* scratch,
         int64_t n)
      : all_loops_(device.loops), loops_(device.loops.of<A>()), op_(op), shape_(op.h.shape),
        factor_(factors == nullptr ? nullptr : factors + n * shape_.c), sums_(sums), scratch_(scratch),
        first_(n * shape_.features()), n_(n) {}

  void run() const {
    for (int64_t row = 0; row < shape_.h; row += 2) {
      const int64_t rows = std::min<int64_t>(2, shape_.h - row);
      begin_gradient(row, rows);
      if (op_.d_pooled)
        for (int64_t r = 0; r < rows; ++r) average_unpool(row, r);
      if (op_.d_output) add_output_gradient(row, rows);
      activation_gradient(row, rows);
    }
  }

 private:
  int64_t row_elements() const { return shape_.w * shape_.c; }
  const A* at(const Tensor& tensor, int64_t row) const {
    return tensor ? tensor.as<A>() + first_ + row * row_elements() : nullptr;
  }
  A* g(int64_t row) const { return op_.g.as<A>() + first_ + row * row_elements(); }
  /// The first of the two rows of dh.
  float* dh(int64_t row) const {
    return scratch_ != nullptr ? scratch_ : op_.g.as<float>() + first_ + row * row_elements();
  }

  /// dh ← [what the similarity branch left in g +] d_h.
  void begin_gradient(int64_t row, int64_t rows) const {
    if (op_.similarity_weight && scratch_ != nullptr)
      loops_.widen(g(row), rows * row_elements(), scratch_);
    else if (!op_.similarity_weight && op_.d_h)
      loops_.widen(at(op_.d_h, row), rows * row_elements(), dh(row));
    else if (!op_.similarity_weight)
      std::fill_n(dh(row), rows * row_elements(), 0.0f);
    if (op_.similarity_weight && op_.d_h)
      loops_.add_scaled(dh(row), at(op_.d_h, row), nullptr, rows * shape_.w, shape_.c);
  }

  void average_unpool(int64_t first_row, int64_t r) const {
    const AveragePooling& pooling = op_.average_pooling;
    const Shape& windows = op_.d_pooled.shape;
    const int64_t window = (first_row + r + pooling.padding_height) / pooling.kernel_height;
    if (window >= windows.h) return;
    const float weight = 1.0f / static_cast<float>(pooling.kernel_height * pooling.kernel_width);
    const A* const d_pooled = op_.d_pooled.as<A>() + n_ * windows.features() + window * windows.w * windows.c;
    loops_.average_unpool_row(dh(first_row) + r * row_elements(), shape_.w, shape_.c, pooling.kernel_width,
                              pooling.padding_width, windows.w, weight, d_pooled);
  }

  void add_output_gradient(int64_t row, int64_t rows) const {
    const Shape& output = op_.d_output.shape;
    const A* const d_output = op_.d_output.as<A>() + n_ * output.features();
    if (!op_.max_pool)
      loops_.add_scaled(dh(row), d_output + row * row_elements(), factor_, rows * shape_.w, shape_.c);
    else if (rows == 2)
      loops_.max_unpool_rows(dh(row), dh(row) + row_elements(), at(op_.h, row), at(op_.h, row + 1), factor_, output.w,
                             shape_.c, d_output + row / 2 * output.w * output.c);
  }

  void activation_gradient(int64_t row, int64_t rows) const {
    loops_.activation_gradient(dh(row), at(op_.h, row), static_cast<float>(op_.negative_slope), at(op_.y, row),
                               op_.mean_y.as<float>(), rows * shape_.w, shape_.c, sums_.part_g, sums_.part_gy,
                               g(row));
    if (!op_.y) return;
    all_loops_.fold(sums_.total_g, sums_.part_g, shape_.c);
    all_loops_.fold(sums_.total_gy, sums_.part_gy, shape_.c);
  }

  const Loops& all_loops_;
  const StorageLoops<A>& loops_;
  const HiddenGradient& op_;
  const Shape shape_;
  const float* factor_;
  const Sums sums_;
  float* scratch_;
  const int64_t first_;  // element of the sample
  const int64_t n_;
};

}  // namespace

bool gradient_replaces_h(const Device& device, const HiddenGradient& op) {
  // Winograd's method reads h tile by tile, each just before it writes g there.
  return op.similarity_weight && by_winograd(device, op.similarity_convolution, op.h.shape, op.h.shape);
}

void hidden_gradient(Device& device, const HiddenGradient& op) {
  const Shape& shape = op.h.shape;
  if (gradient_replaces_h(device, op)) {
    hidden_gradient_by_winograd(device, op);
    return;
  }
  if (op.similarity_weight) similarity_gradient(device, op);

  const ArenaTensor factors =
      op.d_output ? dropout_factors(device, op.dropout, shape.n, shape.c) : ArenaTensor();
  const Partition pieces = partition_items(shape.n, shape.features());
  ArenaTensor parts, totals;
  if (op.y) {
    parts = take_floats(device, pieces.count(), 2 * shape.c);
    totals = take_doubles(device, pieces.count(), 2 * shape.c);
    std::fill_n(parts.view().as<float>(), parts.view().shape.elements(), 0.0f);
    std::fill_n(totals.view().as<double>(), totals.view().shape.elements(), 0.0);
  }
  const auto sums_of = [&](int64_t i) -> Sums {
    if (!op.y) return {};
    float* const part = parts.view().as<float>() + i * parts.view().shape.c;
    double* const total = totals.view().as<double>() + i * totals.view().shape.c;
    return {part, part + shape.c, total, total + shape.c};
  };
  ArenaTensor scratch;
  if (op.g.type != DataType::float32) scratch = take_floats(device, pieces.count(), 2 * shape.w * shape.c);
  with_storage(op.g.type, [&](auto a) {
    parallel_for(pieces.count(), [&](int64_t i) {
      float* const rows = scratch ? scratch.view().as<float>() + i * scratch.view().shape.c : nullptr;
      for (int64_t n = pieces.begin(i); n < pieces.end(i); ++n)
        Sample<decltype(a)>(device, op, factors.view().as<float>(), sums_of(i), rows, n).run();
    });
  });
  if (!op.y) return;

  const float* const variance = op.variance_y.as<float>();
  for (int64_t c = 0; c < shape.c; ++c) {
    double sum_g = 0, sum_gy = 0;
    for (int64_t i = 0; i < pieces.count(); ++i) {
      sum_g += sums_of(i).total_g[c];
      sum_gy += sums_of(i).total_gy[c];
    }
    op.d_shift.as<float>()[c] = static_cast<float>(sum_g);
    op.d_scale.as<float>()[c] = static_cast<float>(sum_gy * inverse_deviation(variance[c]));
  }
}

}  // namespace layerwise::cpu
