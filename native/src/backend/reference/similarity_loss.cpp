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
  void copy_to(const Tensor& tensor) const { std::copy(values_.begin(), values_.end(), tensor.as<double>()); }

 private:
  int64_t columns_;
  std::vector<double> values_;
};

}  // namespace

void similarity_loss(const SimilarityLoss& op) {
  const int64_t samples = op.x.shape.n, features = op.x.shape.features();
  const Elements x(op.x);

  Matrix unit(samples, features);  // rows u = c / (ε + |c|), c the centred vector
  std::vector<double> norm(static_cast<size_t>(samples));
  for (int64_t n = 0; n < samples; ++n) {
    double sum = 0;
    for (int64_t f = 0; f < features; ++f) sum += x(n, f);
    double squares = 0;
    for (int64_t f = 0; f < features; ++f) {
      unit(n, f) = x(n, f) - sum / static_cast<double>(features);
      squares += unit(n, f) * unit(n, f);
    }
    norm[static_cast<size_t>(n)] = std::sqrt(squares);
    for (int64_t f = 0; f < features; ++f) unit(n, f) /= similarity_epsilon + std::sqrt(squares);
  }

  Matrix similarity(samples, samples), target(samples, samples), d_similarity(samples, samples);
  const double pairs = static_cast<double>(samples * samples);
  double loss = 0;
  for (int64_t i = 0; i < samples; ++i) {
    for (int64_t j = 0; j < samples; ++j) {
      double cosine = 0;
      for (int64_t f = 0; f < features; ++f) cosine += unit(i, f) * unit(j, f);
      const bool same_class = op.labels.as<int32_t>()[i] == op.labels.as<int32_t>()[j];
      similarity(i, j) = std::clamp(cosine, -1.0, 1.0);
      target(i, j) = same_class ? 1 : -1 / static_cast<double>(op.classes - 1);
      const double difference = similarity(i, j) - target(i, j);
      loss += difference * difference / pairs;
      // The clamp passes the gradient on the closed interval, as PyTorch's does.
      d_similarity(i, j) = cosine == similarity(i, j) ? op.gradient_scale * 2 * difference / pairs : 0;
    }
  }
  if (op.similarity) similarity.copy_to(op.similarity);
  if (op.target) target.copy_to(op.target);
  if (op.metrics != nullptr) op.metrics->similarity_loss += loss * static_cast<double>(samples);
  if (!op.d_x) return;

  const Elements d_x(op.d_x);
  for (int64_t n = 0; n < samples; ++n) {
    const double length = norm[static_cast<size_t>(n)];
    if (length == 0) {
      for (int64_t f = 0; f < features; ++f) d_x(n, f) = 0;
      continue;
    }
    // du = Σ_j (dR_nj + dR_jn) u_j.
    std::vector<double> d_unit(static_cast<size_t>(features), 0.0);
    double along = 0;  // u · du
    for (int64_t f = 0; f < features; ++f) {
      double& d = d_unit[static_cast<size_t>(f)];
      for (int64_t j = 0; j < samples; ++j) d += (d_similarity(n, j) + d_similarity(j, n)) * unit(j, f);
      along += unit(n, f) * d;
    }
    // u = c / (ε + |c|) gives dc = (du − (c / |c|) (u · du)) / (ε + |c|), and c / |c| = u (ε + |c|) / |c|.
    const double denominator = similarity_epsilon + length;
    double sum = 0;
    for (int64_t f = 0; f < features; ++f) {
      d_x(n, f) = (d_unit[static_cast<size_t>(f)] - unit(n, f) * (denominator / length) * along) / denominator;
      sum += d_x(n, f);
    }
    for (int64_t f = 0; f < features; ++f) d_x(n, f) -= sum / static_cast<double>(features);
  }
}

}  // namespace reference
}  // namespace layerwise
