#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

namespace {

/// A matrix of the size of the batch's features or of its pairs.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t columns) : columns_(columns), values_(static_cast<size_t>(rows * columns)) {}
  double& operator()(int64_t row, int64_t column) { return values_[static_cast<size_t>(row * columns_ + column)]; }
  double operator()(int64_t row, int64_t column) const { return values_[static_cast<size_t>(row * columns_ + column)]; }
  /// tensor ← the rows from this one on that it has room for.
  void copy_to(const Tensor& tensor, int64_t first_row) const {
    std::copy_n(values_.begin() + first_row * columns_, tensor.shape.elements(), tensor.as<double>());
  }

 private:
  int64_t columns_;
  std::vector<double> values_;
};

/// The batch's vectors made comparable: rows u = c / (ε + |c|), c a row with its mean subtracted, and |c|.
struct UnitVectors {
  /// value(n, f): feature f of sample n.
  template <class Value>
  UnitVectors(int64_t samples, int64_t features, Value value)
      : unit(samples, features), norm(static_cast<size_t>(samples)) {
    for (int64_t n = 0; n < samples; ++n) {
      double sum = 0;
      for (int64_t f = 0; f < features; ++f) sum += value(n, f);
      double squares = 0;
      for (int64_t f = 0; f < features; ++f) {
        unit(n, f) = value(n, f) - sum / static_cast<double>(features);
        squares += unit(n, f) * unit(n, f);
      }
      norm[static_cast<size_t>(n)] = std::sqrt(squares);
      for (int64_t f = 0; f < features; ++f) unit(n, f) /= similarity_epsilon + std::sqrt(squares);
    }
  }

  Matrix unit;
  std::vector<double> norm;
};

/// u·uᵀ, not clamped.
Matrix cosines(const Matrix& unit, int64_t samples, int64_t features) {
  Matrix result(samples, samples);
  for (int64_t i = 0; i < samples; ++i)
    for (int64_t j = 0; j < samples; ++j)
      for (int64_t f = 0; f < features; ++f) result(i, j) += unit(i, f) * unit(j, f);
  return result;
}

/// The clamped similarity matrix of value(n, f).
template <class Value>
Matrix similarities(int64_t samples, int64_t features, Value value) {
  Matrix result = cosines(UnitVectors(samples, features, value).unit, samples, features);
  for (int64_t i = 0; i < samples; ++i)
    for (int64_t j = 0; j < samples; ++j) result(i, j) = std::clamp(result(i, j), -1.0, 1.0);
  return result;
}

/// T: the similarities of the labels, as one-hot vectors or by their codes, or of the targets in their place.
Matrix supervised_target(const SimilarityLoss& op) {
  const int64_t samples = op.x.shape.n;
  if (op.targets) return similarities(samples, op.targets.shape.c, Elements(op.targets));
  const int32_t* labels = op.labels.as<int32_t>();
  if (op.projection) {
    const Elements projection(op.projection);
    return similarities(samples, op.projection.shape.n, [&](int64_t n, int64_t k) { return projection(k, labels[n]); });
  }
  Matrix result(samples, samples);
  for (int64_t i = 0; i < samples; ++i)
    for (int64_t j = 0; j < samples; ++j)
      result(i, j) = labels[i] == labels[j] ? 1 : -1 / static_cast<double>(op.classes - 1);
  return result;
}

/// The rows that an operation is asked for.
struct Rows {
  explicit Rows(const SimilarityLoss& op) : begin(op.first_row), end(op.first_row + op.row_count()) {}
  bool has(int64_t row) const { return row >= begin && row < end; }

  int64_t begin, end;
};

/// Adds scale times the gradient at R of the mean of (R − T)² to d_similarity; returns the part of that mean that these
/// rows have.
double add_loss(const Matrix& similarity, const Matrix& target, int64_t samples, const Rows& rows, double scale,
                Matrix& d_similarity) {
  const double pairs = static_cast<double>(samples * samples);
  double loss = 0;
  for (int64_t i = 0; i < samples; ++i) {
    for (int64_t j = 0; j < samples; ++j) {
      const double difference = similarity(i, j) - target(i, j);
      if (rows.has(i)) loss += difference * difference / pairs;
      d_similarity(i, j) += scale * 2 * difference / pairs;
    }
  }
  return loss;
}

/// d_x from the gradient at u·uᵀ.
void feature_gradient(const UnitVectors& vectors, const Matrix& d_cosine, int64_t samples, const Rows& rows,
                      const Tensor& d_x_tensor) {
  const int64_t features = d_x_tensor.shape.features();
  const Elements d_x(d_x_tensor);
  const Matrix& unit = vectors.unit;
  for (int64_t n = rows.begin; n < rows.end; ++n) {
    const int64_t to = n - rows.begin;
    const double length = vectors.norm[static_cast<size_t>(n)];
    if (length == 0) {
      for (int64_t f = 0; f < features; ++f) d_x(to, f) = 0;
      continue;
    }
    // du = Σ_j (dR_nj + dR_jn) u_j.
    std::vector<double> d_unit(static_cast<size_t>(features), 0.0);
    double along = 0;  // u · du
    for (int64_t f = 0; f < features; ++f) {
      double& d = d_unit[static_cast<size_t>(f)];
      for (int64_t j = 0; j < samples; ++j) d += (d_cosine(n, j) + d_cosine(j, n)) * unit(j, f);
      along += unit(n, f) * d;
    }
    // u = c / (ε + |c|) gives dc = (du − (c / |c|) (u · du)) / (ε + |c|), and c / |c| = u (ε + |c|) / |c|.
    const double denominator = similarity_epsilon + length;
    double sum = 0;
    for (int64_t f = 0; f < features; ++f) {
      d_x(to, f) = (d_unit[static_cast<size_t>(f)] - unit(n, f) * (denominator / length) * along) / denominator;
      sum += d_x(to, f);
    }
    for (int64_t f = 0; f < features; ++f) d_x(to, f) -= sum / static_cast<double>(features);
  }
}

}  // namespace

void similarity_loss(const SimilarityLoss& op, const StepState&) {
  const int64_t samples = op.x.shape.n, features = op.x.shape.features();
  const Rows rows(op);
  const Elements x(op.x);
  const UnitVectors vectors(samples, features, x);
  const Matrix cosine = cosines(vectors.unit, samples, features);
  Matrix similarity = cosine, d_similarity(samples, samples);
  for (int64_t i = 0; i < samples; ++i)
    for (int64_t j = 0; j < samples; ++j) similarity(i, j) = std::clamp(cosine(i, j), -1.0, 1.0);
  if (op.similarity) similarity.copy_to(op.similarity, rows.begin);

  double supervised = 0, unsupervised = 0;
  if (op.is_supervised()) {
    const Matrix target = supervised_target(op);
    if (op.target) target.copy_to(op.target, rows.begin);
    supervised = add_loss(similarity, target, samples, rows, op.gradient_scale, d_similarity);
  }
  if (op.input) {
    const Matrix target = similarities(samples, op.input.shape.features(), Elements(op.input));
    unsupervised = add_loss(similarity, target, samples, rows, op.input_scale, d_similarity);
  }
  if (op.metrics != nullptr) {
    op.metrics->similarity_loss += supervised * static_cast<double>(samples);
    op.metrics->unsupervised_loss += unsupervised * static_cast<double>(samples);
  }
  if (!op.d_x) return;

  // The clamp passes the gradient on the closed interval, as PyTorch's does.
  for (int64_t i = 0; i < samples; ++i)
    for (int64_t j = 0; j < samples; ++j)
      if (cosine(i, j) != similarity(i, j)) d_similarity(i, j) = 0;
  feature_gradient(vectors, d_similarity, samples, rows, op.d_x);
}

}  // namespace reference
}  // namespace layerwise
