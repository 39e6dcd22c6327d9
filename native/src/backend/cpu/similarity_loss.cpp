// The similarity-matching loss and its gradient.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

/// One row of R and of the labels' matrix T. Returns Σ (clamp(R) − T)² and replaces R by the gradient of
/// scale times the sum over the whole matrix, both triangles taken together since R is symmetric:
/// 4 · scale · (R − T) inside [−1, 1], 0 outside. `similarity` and `target`, where given, receive clamp(R)
/// and T.
double similarity_row(float* row, const int32_t* labels, int64_t samples, int32_t label, double different,
                      double scale, float* similarity, float* target) {
  double sum = 0;
  for (int64_t j = 0; j < samples; ++j) {
    const double wanted = labels[j] == label ? 1 : different;
    const float clamped = std::clamp(row[j], -1.0f, 1.0f);
    const double difference = clamped - wanted;
    sum += difference * difference;
    if (similarity != nullptr) similarity[j] = clamped;
    if (target != nullptr) target[j] = static_cast<float>(wanted);
    row[j] = row[j] == clamped ? static_cast<float>(4 * scale * difference) : 0;
  }
  return sum;
}

}  // namespace

void similarity_loss(Device& device, const SimilarityLoss& op) {
  const int64_t samples = op.x.shape.n, features = op.x.shape.features();
  const ArenaTensor normalized = device.arena.take(DataType::float32, Shape::matrix(samples, features));
  const ArenaTensor matrix = device.arena.take(DataType::float32, Shape::matrix(samples, samples));
  const ArenaTensor per_sample = take_doubles(device, 2, samples);
  double* const norms = per_sample.view().as<double>();
  double* const losses = norms + per_sample.view().shape.c;
  const auto sample_of = [features](const Tensor& tensor, int64_t n) { return tensor.as<float>() + n * features; };

  parallel_items(samples, features, [&](int64_t n) {
    norms[n] =
        device.loops.center_normalize(sample_of(op.x, n), features, similarity_epsilon, sample_of(normalized, n));
  });
  const Matrix x = matrix_of(normalized, samples, features), r = matrix_of(matrix, samples, samples);
  device.gemm.multiply(x, x.transposed(), nullptr, r);

  const double entries = static_cast<double>(samples) * static_cast<double>(samples);
  const double different = -1.0 / static_cast<double>(op.classes - 1);
  const auto row_of = [samples](const Tensor& tensor, int64_t n) {
    return tensor ? tensor.as<float>() + n * samples : nullptr;
  };
  const int32_t* const labels = op.labels.as<int32_t>();
  parallel_items(samples, samples, [&](int64_t n) {
    losses[n] = similarity_row(row_of(matrix, n), labels, samples, labels[n], different, op.gradient_scale / entries,
                               row_of(op.similarity, n), row_of(op.target, n));
  });
  if (op.metrics != nullptr) {
    double sum = 0;
    for (int64_t n = 0; n < samples; ++n) sum += losses[n];
    op.metrics->similarity_loss += sum / static_cast<double>(samples);  // samples · (sum / samples²)
  }
  if (!op.d_x) return;

  // d loss / d X = (G + Gᵀ) · X = 2 G X; the 2 is in the matrix already.
  device.gemm.multiply(r, x, nullptr, matrix_of(op.d_x, samples, features));
  parallel_items(samples, features, [&](int64_t n) {
    device.loops.center_normalize_gradient(sample_of(op.d_x, n), sample_of(normalized, n), features,
                                           similarity_epsilon, norms[n]);
  });
}

}  // namespace layerwise::cpu
