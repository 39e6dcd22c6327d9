// The similarity-matching losses and their gradient.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

/// A batch's vectors, centred and divided by ε + norm, and the norms.
struct UnitRows {
  UnitRows(Device& device, const Tensor& x)
      : samples(x.shape.n), features(x.shape.features()),
        values(device.arena.take(DataType::float32, Shape::matrix(samples, features))),
        norms(take_doubles(device, 1, samples)) {
    parallel_items(samples, features, [&](int64_t n) {
      with_storage(x.type, [&](auto a) {
        using A = decltype(a);
        norms.view().as<double>()[n] = device.loops.of<A>().center_normalize(x.as<A>() + n * features, features,
                                                                             similarity_epsilon, row(n));
      });
    });
  }

  float* row(int64_t n) const { return values.view().as<float>() + n * features; }
  Matrix matrix() const { return matrix_of(values, samples, features); }
  Matrix matrix(int64_t first_row, int64_t rows) const {
    return {row(first_row), DataType::float32, rows, features, features, 1};
  }

  int64_t samples, features;
  ArenaTensor values, norms;
};

/// similarity (rows, N) = the rows of X·Xᵀ from the first one on, not clamped.
void multiply_rows(Device& device, const UnitRows& x, int64_t first_row, const Tensor& similarity) {
  const int64_t rows = similarity.shape.n;
  device.gemm.multiply(x.matrix(first_row, rows), x.matrix().transposed(), nullptr,
                       matrix_of(similarity, rows, x.samples));
}

/// target (rows, N) = these rows of the clamped similarity matrix of the vectors x.
void similarity_target(Device& device, const Tensor& x, int64_t first_row, const Tensor& target) {
  multiply_rows(device, UnitRows(device, x), first_row, target);
  float* const values = target.as<float>();
  parallel_ranges(target.shape.elements(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) values[i] = std::clamp(values[i], -1.0f, 1.0f);
  });
}

/// target = the similarities of the labels' codes, the columns of the projection.
void code_target(Device& device, const SimilarityLoss& op, const Tensor& target) {
  const int64_t samples = op.x.shape.n, size = op.projection.shape.n, classes = op.projection.shape.c;
  const int32_t* const labels = op.labels.as<int32_t>();
  const ArenaTensor codes = device.arena.take(DataType::float32, Shape::matrix(samples, size));
  for (int64_t n = 0; n < samples; ++n)
    for (int64_t k = 0; k < size; ++k)
      codes.view().as<float>()[n * size + k] = op.projection.as<float>()[k * classes + labels[n]];
  similarity_target(device, codes, op.first_row, target);
}

/// Sample n's row of the similarities of the labels as one-hot vectors, in closed form.
void label_target_row(const SimilarityLoss& op, int64_t n, float* row) {
  const int32_t* const labels = op.labels.as<int32_t>();
  const auto different = static_cast<float>(-1.0 / static_cast<double>(op.classes - 1));
  for (int64_t j = 0; j < op.x.shape.n; ++j) row[j] = labels[j] == labels[n] ? 1 : different;
}

/// One target's row, if it is wanted, and what its squared differences count in the gradient.
struct Target {
  const float* row;
  double scale;
};

struct RowLoss {
  double supervised = 0, unsupervised = 0;  // Σ over the row of (R − T)²
};

/// The losses of one row of R, which is replaced by the gradient of Σ scale · (R − T)² over the whole matrix, both
/// triangles taken together since R is symmetric: 4 · scale · (R − T) inside [−1, 1], 0 outside. `similarity`, where
/// given, receives clamp(R).
RowLoss similarity_row(float* row, int64_t samples, const Target& supervised, const Target& unsupervised,
                       float* similarity) {
  RowLoss loss;
  for (int64_t j = 0; j < samples; ++j) {
    const float clamped = std::clamp(row[j], -1.0f, 1.0f);
    if (similarity != nullptr) similarity[j] = clamped;
    double gradient = 0;
    const auto add = [&](const Target& target, double& sum) {
      if (target.row == nullptr) return;
      const double difference = static_cast<double>(clamped) - target.row[j];
      sum += difference * difference;
      gradient += 4 * target.scale * difference;
    };
    add(supervised, loss.supervised);
    add(unsupervised, loss.unsupervised);
    row[j] = row[j] == clamped ? static_cast<float>(gradient) : 0;
  }
  return loss;
}

}  // namespace

void similarity_loss(Device& device, const SimilarityLoss& op) {
  const int64_t samples = op.x.shape.n, features = op.x.shape.features();
  const int64_t first_row = op.first_row, rows = op.row_count();
  const Shape pairs = Shape::matrix(rows, samples);
  const auto take_matrix = [&] { return device.arena.take(DataType::float32, pairs); };

  const UnitRows x(device, op.x);
  const ArenaTensor matrix = take_matrix();
  multiply_rows(device, x, first_row, matrix);

  const bool own_target = op.is_supervised() && !op.target;
  const ArenaTensor taken_target = own_target ? take_matrix() : ArenaTensor();
  const Tensor target = own_target ? taken_target.view() : op.target;
  if (op.labels && op.projection) code_target(device, op, target);
  if (op.targets) similarity_target(device, op.targets, first_row, target);
  const ArenaTensor input_target = op.input ? take_matrix() : ArenaTensor();
  if (op.input) similarity_target(device, op.input, first_row, input_target);

  const double entries = static_cast<double>(samples) * static_cast<double>(samples);
  const ArenaTensor losses = take_doubles(device, 2, rows);
  double* const supervised = losses.view().as<double>();
  double* const unsupervised = supervised + losses.view().shape.c;
  const auto row_of = [samples](const Tensor& tensor, int64_t n) {
    return tensor ? tensor.as<float>() + n * samples : nullptr;
  };
  parallel_items(rows, samples, [&](int64_t n) {
    if (op.labels && !op.projection) label_target_row(op, first_row + n, row_of(target, n));
    const RowLoss of_row = similarity_row(row_of(matrix, n), samples,
                                          {row_of(op.is_supervised() ? target : Tensor(), n), op.gradient_scale / entries},
                                          {row_of(input_target, n), op.input_scale / entries},
                                          row_of(op.similarity, n));
    supervised[n] = of_row.supervised;
    unsupervised[n] = of_row.unsupervised;
  });
  if (op.metrics != nullptr) {
    RowLoss sum;
    for (int64_t n = 0; n < rows; ++n) {
      sum.supervised += supervised[n];
      sum.unsupervised += unsupervised[n];
    }
    op.metrics->similarity_loss += sum.supervised / static_cast<double>(samples);  // samples · (sum / samples²)
    op.metrics->unsupervised_loss += sum.unsupervised / static_cast<double>(samples);
  }
  if (!op.d_x) return;

  // d loss / d X = (G + Gᵀ) · X = 2 G X; the 2 is in the matrix already.
  const bool in_place = op.d_x.type == DataType::float32;
  ArenaTensor at_unit_rows;
  if (!in_place) at_unit_rows = device.arena.take(DataType::float32, Shape::matrix(rows, features));
  const Tensor& gradient = in_place ? op.d_x : at_unit_rows.view();
  device.gemm.multiply(matrix_of(matrix, rows, samples), x.matrix(), nullptr, matrix_of(gradient, rows, features));
  with_storage(op.d_x.type, [&](auto a) {
    using A = decltype(a);
    parallel_items(rows, features, [&](int64_t n) {
      device.loops.of<A>().center_normalize_gradient(gradient.as<float>() + n * features, x.row(first_row + n),
                                                     features, similarity_epsilon,
                                                     x.norms.view().as<double>()[first_row + n],
                                                     op.d_x.as<A>() + n * features);
    });
  });
}

}  // namespace layerwise::cpu
