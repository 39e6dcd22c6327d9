#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void classifier_loss(const ClassifierLoss& op) {
  const int64_t samples = op.x.shape.n, features = op.x.shape.features(), classes = op.weight.shape.n;
  const Elements x(op.x), weight(op.weight), bias(op.bias);

  std::vector<double> logits(static_cast<size_t>(samples * classes));
  for (int64_t n = 0; n < samples; ++n) {
    for (int64_t k = 0; k < classes; ++k) {
      double logit = bias[k];
      for (int64_t f = 0; f < features; ++f) logit += weight(k, f) * x(n, f);
      logits[static_cast<size_t>(n * classes + k)] = logit;
    }
  }
  if (op.logits) std::copy(logits.begin(), logits.end(), op.logits.as<double>());
  if (!op.labels) return;

  // Loss, and d logits = gradient_scale / N · (softmax − one-hot) in the place of the logits.
  double loss = 0, errors = 0;
  for (int64_t n = 0; n < samples; ++n) {
    double* row = &logits[static_cast<size_t>(n * classes)];
    const int64_t label = op.labels.as<int32_t>()[n];
    const double* largest = std::max_element(row, row + classes);
    const double maximum = *largest;
    if (largest - row != label) errors += 1;
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(row[k] - maximum);
    loss += std::log(sum) + maximum - row[label];
    for (int64_t k = 0; k < classes; ++k) {
      const double probability = std::exp(row[k] - maximum) / sum;
      row[k] = op.gradient_scale / static_cast<double>(samples) * (probability - (k == label ? 1 : 0));
    }
  }
  if (op.metrics != nullptr) {
    op.metrics->prediction_loss += loss;
    op.metrics->errors += errors;
  }

  const auto d_logit = [&](int64_t n, int64_t k) { return logits[static_cast<size_t>(n * classes + k)]; };
  if (op.d_weight) {
    const Elements d_weight(op.d_weight);
    d_weight.fill(0);
    for (int64_t n = 0; n < samples; ++n)
      for (int64_t k = 0; k < classes; ++k)
        for (int64_t f = 0; f < features; ++f) d_weight(k, f) += d_logit(n, k) * x(n, f);
  }
  if (op.d_bias) {
    const Elements d_bias(op.d_bias);
    d_bias.fill(0);
    for (int64_t n = 0; n < samples; ++n)
      for (int64_t k = 0; k < classes; ++k) d_bias[k] += d_logit(n, k);
  }
  if (op.d_x) {
    const Elements d_x(op.d_x);
    d_x.fill(0);
    for (int64_t n = 0; n < samples; ++n)
      for (int64_t k = 0; k < classes; ++k)
        for (int64_t f = 0; f < features; ++f) d_x(n, f) += d_logit(n, k) * weight(k, f);
  }
}

}  // namespace reference
}  // namespace layerwise
