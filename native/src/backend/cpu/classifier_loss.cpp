// A linear classifier's cross-entropy, or that with a code of the label, and its gradients.
#include <algorithm>
#include <cmath>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

// An exponential in double takes about as long as a pass over this many floats.
constexpr int64_t elements_per_exponential = 64;

/// What one sample contributes to the metrics.
struct SampleLoss {
  double loss;
  double error;  // 1 where the first of the largest logits is not the label's
};

/// −log softmax(logits)[label], or with smoothing the mean of −log softmax(logits) over the smoothed target, with the
/// largest logit subtracted; where d_logits is given, it becomes gradient_scale · (softmax(logits) − target).
SampleLoss cross_entropy(const float* logits, int64_t classes, int32_t label, double smoothing, double gradient_scale,
                         float* d_logits) {
  const float* const largest = std::max_element(logits, logits + classes);  // the first of equals
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(logits[k]) - *largest);
  const double elsewhere = smoothing / static_cast<double>(classes), at_label = 1 - smoothing + elsewhere;
  if (d_logits != nullptr) {
    for (int64_t k = 0; k < classes; ++k) {
      const double probability = std::exp(static_cast<double>(logits[k]) - *largest) / sum;
      d_logits[k] = static_cast<float>(gradient_scale * (probability - (k == label ? at_label : elsewhere)));
    }
  }
  double loss = std::log(sum) + *largest - logits[label];
  if (smoothing > 0) {
    loss = std::log(sum);
    for (int64_t k = 0; k < classes; ++k)
      loss -= (k == label ? at_label : elsewhere) * (static_cast<double>(logits[k]) - *largest);
  }
  return {loss, largest - logits == label ? 0.0 : 1.0};
}

/// The same with a target in place of a label.
SampleLoss cross_entropy(const float* logits, int64_t classes, const float* target, double smoothing,
                         double gradient_scale, float* d_logits) {
  const float* const largest = std::max_element(logits, logits + classes);  // the first of equals
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(logits[k]) - *largest);
  const double everywhere = smoothing / static_cast<double>(classes);
  double loss = std::log(sum);
  for (int64_t k = 0; k < classes; ++k) {
    const double below = static_cast<double>(logits[k]) - *largest;
    const double smoothed = (1 - smoothing) * target[k] + everywhere;
    loss -= smoothed * below;
    if (d_logits != nullptr) d_logits[k] = static_cast<float>(gradient_scale * (std::exp(below) / sum - smoothed));
  }
  return {loss, largest - logits == std::max_element(target, target + classes) - target ? 0.0 : 1.0};
}

/// The mean over the logits z of the binary cross-entropy of sigmoid(z) and t, t = 1 where the label's code is
/// positive, else 0: max(z, 0) − z·t + log(1 + exp(−|z|)). Where d_logits is given, it becomes gradient_scale times
/// the gradient, (sigmoid(z) − t) / K.
SampleLoss binary_cross_entropy(const float* logits, int64_t outputs, const Tensor& projection, int32_t label,
                                double gradient_scale, float* d_logits) {
  const double share = 1 / static_cast<double>(outputs);
  double sum = 0;
  for (int64_t k = 0; k < outputs; ++k) {
    const double z = logits[k], t = projection.as<float>()[k * projection.shape.c + label] > 0 ? 1 : 0;
    const double exponential = std::exp(-std::abs(z));  // at most 1: nothing overflows
    sum += std::max(z, 0.0) - z * t + std::log1p(exponential);
    if (d_logits != nullptr) {
      const double sigmoid = (z > 0 ? 1 : exponential) / (1 + exponential);
      d_logits[k] = static_cast<float>(gradient_scale * share * (sigmoid - t));
    }
  }
  return {sum * share, 0};
}

void bias_gradient(Device& device, const Tensor& d_logits, const Tensor& d_bias) {
  const int64_t classes = d_bias.shape.c;
  const ArenaTensor sum = take_doubles(device, 1, classes);
  double* const total = sum.view().as<double>();
  std::fill_n(total, classes, 0.0);
  device.loops.of<float>().add_rows(total, d_logits.as<float>(), d_logits.shape.n, classes);
  std::transform(total, total + classes, d_bias.as<float>(), [](double value) { return static_cast<float>(value); });
}

}  // namespace

void classifier_loss(Device& device, const ClassifierLoss& op) {
  const int64_t samples = op.x.shape.n, features = op.x.shape.features(), classes = op.bias.shape.c;
  const Shape logits_shape = Shape::matrix(samples, classes);
  const Matrix x = matrix_of(op.x, samples, features), weight = matrix_of(op.weight, classes, features);

  ArenaTensor own_logits;
  if (!op.logits) own_logits = device.arena.take(DataType::float32, logits_shape);
  const Tensor logits = op.logits ? op.logits : own_logits.view();
  device.gemm.multiply(x, weight.transposed(), op.bias.as<float>(), matrix_of(logits, samples, classes));
  if (!op.labels && !op.targets) return;

  const bool wants_gradient = op.d_weight || op.d_x;
  const ArenaTensor d_logits = wants_gradient ? device.arena.take(DataType::float32, logits_shape) : ArenaTensor();
  const ArenaTensor losses = take_doubles(device, samples, 2);
  const auto loss_of = [&](int64_t n) { return losses.view().as<double>() + n * losses.view().shape.c; };
  const double gradient_scale = op.gradient_scale / static_cast<double>(samples);
  parallel_items(samples, classes * elements_per_exponential, [&](int64_t n) {
    float* const d_row = d_logits ? d_logits.view().as<float>() + n * classes : nullptr;
    const float* const row = logits.as<float>() + n * classes;
    const int32_t label = op.labels ? op.labels.as<int32_t>()[n] : -1;
    const SampleLoss of_sample =
        op.targets      ? cross_entropy(row, classes, op.targets.as<float>() + n * classes, op.label_smoothing,
                                        gradient_scale, d_row)
        : op.projection ? binary_cross_entropy(row, classes, op.projection, label, gradient_scale, d_row)
                        : cross_entropy(row, classes, label, op.label_smoothing, gradient_scale, d_row);
    loss_of(n)[0] = of_sample.loss;
    loss_of(n)[1] = of_sample.error;
  });
  if (op.metrics != nullptr) {
    for (int64_t n = 0; n < samples; ++n) {
      op.metrics->prediction_loss += loss_of(n)[0];
      op.metrics->errors += loss_of(n)[1];
    }
  }

  if (!wants_gradient) return;

  // The products with x and with the weights take operands of one type.
  ArenaTensor narrowed;
  if (op.x.type == DataType::bfloat16) {
    narrowed = device.arena.take(op.x.type, logits_shape);
    device.loops.of<Bfloat16>().narrow(d_logits.view().as<float>(), logits_shape.elements(),
                                       narrowed.view().as<Bfloat16>());
  }
  const Matrix d_rows = matrix_of(narrowed ? narrowed : d_logits, samples, classes);
  if (op.d_weight) {
    device.gemm.multiply(d_rows.transposed(), x, nullptr, matrix_of(op.d_weight, classes, features));
    bias_gradient(device, d_logits, op.d_bias);
  }
  const Matrix backward = op.feedback ? matrix_of(op.feedback, classes, features) : weight;
  if (op.d_x) device.gemm.multiply(d_rows, backward, nullptr, matrix_of(op.d_x, samples, features));
}

}  // namespace layerwise::cpu
