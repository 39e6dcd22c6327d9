#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

namespace {

/// What one sample contributes to the metrics.
struct SampleLoss {
  double loss, error;
};

/// Cross-entropy of softmax(logits) and the label, smoothed; the logits become its gradient, softmax − target.
SampleLoss cross_entropy(double* logits, int64_t classes, int64_t label, double smoothing) {
  const double* largest = std::max_element(logits, logits + classes);
  const double maximum = *largest;
  const double error = largest - logits == label ? 0 : 1;
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(logits[k] - maximum);
  const double elsewhere = smoothing / static_cast<double>(classes), at_label = 1 - smoothing + elsewhere;
  double loss = std::log(sum) + maximum - logits[label];
  if (smoothing > 0) {
    loss = std::log(sum);
    for (int64_t k = 0; k < classes; ++k) loss -= (k == label ? at_label : elsewhere) * (logits[k] - maximum);
  }
  for (int64_t k = 0; k < classes; ++k)
    logits[k] = std::exp(logits[k] - maximum) / sum - (k == label ? at_label : elsewhere);
  return {loss, error};
}

/// The same with a target in place of a label.
SampleLoss cross_entropy(double* logits, int64_t classes, const double* target, double smoothing) {
  const double* largest = std::max_element(logits, logits + classes);
  const double maximum = *largest;
  const double error = largest - logits == std::max_element(target, target + classes) - target ? 0 : 1;
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(logits[k] - maximum);
  double loss = std::log(sum);
  for (int64_t k = 0; k < classes; ++k) {
    const double smoothed = (1 - smoothing) * target[k] + smoothing / static_cast<double>(classes);
    loss -= smoothed * (logits[k] - maximum);
    logits[k] = std::exp(logits[k] - maximum) / sum - smoothed;
  }
  return {loss, error};
}

/// Mean over the logits z of the binary cross-entropy of sigmoid(z) and the label's code t > 0, without
/// overflow: max(z, 0) − z·t + log(1 + exp(−|z|)); the logits become its gradient, (sigmoid(z) − t) / K.
SampleLoss binary_cross_entropy(double* logits, int64_t outputs, const Elements& projection, int64_t label) {
  double loss = 0;
  for (int64_t k = 0; k < outputs; ++k) {
    const double z = logits[k], t = projection(k, label) > 0 ? 1 : 0;
    loss += (std::max(z, 0.0) - z * t + std::log1p(std::exp(-std::abs(z)))) / static_cast<double>(outputs);
    logits[k] = (1 / (1 + std::exp(-z)) - t) / static_cast<double>(outputs);
  }
  return {loss, 0};
}

}  // namespace

void classifier_loss(const ClassifierLoss& op, const StepState&) {
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
  if (!op.labels && !op.targets) return;

  // Loss, and d logits in the place of the logits.
  const Elements projection(op.projection);
  double loss = 0, errors = 0;
  for (int64_t n = 0; n < samples; ++n) {
    double* row = &logits[static_cast<size_t>(n * classes)];
    const int64_t label = op.labels ? op.labels.as<int32_t>()[n] : -1;
    const SampleLoss of_sample =
        op.targets      ? cross_entropy(row, classes, op.targets.as<double>() + n * classes, op.label_smoothing)
        : op.projection ? binary_cross_entropy(row, classes, projection, label)
                        : cross_entropy(row, classes, label, op.label_smoothing);
    loss += of_sample.loss;
    errors += of_sample.error;
    for (int64_t k = 0; k < classes; ++k) row[k] *= op.gradient_scale / static_cast<double>(samples);
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
    const Elements d_x(op.d_x), backward(op.feedback ? op.feedback : op.weight);
    d_x.fill(0);
    for (int64_t n = 0; n < samples; ++n)
      for (int64_t k = 0; k < classes; ++k)
        for (int64_t f = 0; f < features; ++f) d_x(n, f) += d_logit(n, k) * backward(k, f);
  }
}

}  // namespace reference
}  // namespace layerwise
