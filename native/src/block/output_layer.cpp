#include "block/output_layer.h"

#include <utility>

#include "context/transfer.h"
#include "core/error.h"

namespace layerwise {

OutputLayer::OutputLayer(std::shared_ptr<Context> context, const OutputLayerConfig& config)
    : Block(std::move(context), config.name, config.index, config.input, config.optimizer), config_(config) {
  require(config_.classes >= 2, "an output layer needs at least 2 classes, not ", config_.classes);
  require(config_.loss_scale >= 0, "the loss scale must not be negative, but is ", config_.loss_scale);
  const int64_t features = input_.features();
  weight_ = parameters_.add_parameter("weight", {config_.classes, features},
                                      {config_.classes, input_.h, input_.w, input_.c},
                                      config_.zero_start ? Initialization::zero : Initialization::uniform, features);
  bias_ = parameters_.add_parameter("bias", {config_.classes}, Shape::vector(config_.classes),
                                    Initialization::uniform, features);
  parameters_.allocate();
}

ArenaTensor OutputLayer::take_logits(const Tensor& x) const {
  return arena().take(backend().parameter_type(), Shape::matrix(x.shape.n, config_.classes), arena().opposite(x));
}

void OutputLayer::gradients_of_loss(const Tensor& x, const Labels& labels, const ArenaTensor& gradients,
                                    const Tensor& d_x, const Tensor& logits) {
  check_input(x);
  check_labels(x, labels, config_.classes);
  ClassifierLoss classify;
  classify.x = x;
  classify.weight = parameters_.weight(weight_);
  classify.bias = parameters_.parameter(bias_);
  classify.labels = labels.values;
  classify.gradient_scale = config_.loss_scale;
  classify.d_weight = parameters_.gradient(gradients, weight_);
  classify.d_bias = parameters_.gradient(gradients, bias_);
  classify.d_x = d_x;
  classify.logits = logits;
  classify.metrics = metrics();
  backend().classifier_loss(classify);
  count_samples(x.shape.n);
}

ArenaTensor OutputLayer::train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut, ArenaTensor*) {
  require(!shortcut, "an output layer takes no shortcut");
  ArenaTensor logits = take_logits(x);
  const ArenaTensor gradients = parameters_.take_gradients();
  gradients_of_loss(x, labels, gradients, {}, logits);
  parameters_.update(gradients);
  return logits;
}

ArenaTensor OutputLayer::backpropagate(const Tensor& x, const Labels& labels) {
  ArenaTensor d_x = arena().take(x.type, x.shape, arena().opposite(x));
  const ArenaTensor gradients = parameters_.take_gradients();
  gradients_of_loss(x, labels, gradients, d_x, {});
  parameters_.update(gradients);
  return d_x;
}

ArenaTensor OutputLayer::evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  require(!shortcut, "an output layer takes no shortcut");
  check_input(x);
  ArenaTensor logits = take_logits(x);
  ClassifierLoss classify;
  classify.x = x;
  classify.weight = parameters_.weight(weight_);
  classify.bias = parameters_.parameter(bias_);
  classify.logits = logits;
  if (labels.values) {
    check_labels(x, labels, config_.classes);
    classify.labels = labels.values;
    classify.metrics = metrics();
    count_samples(x.shape.n);
  }
  backend().classifier_loss(classify);
  return logits;
}

Inspection OutputLayer::inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  require(!shortcut, "an output layer takes no shortcut");
  const ArenaTensor logits = take_logits(x);
  const ArenaTensor gradients = parameters_.take_gradients();
  gradients_of_loss(x, labels, gradients, {}, logits);
  Inspection inspection;
  inspection["local_logits"] = download<float>(backend(), logits);
  inspect_gradients(gradients, inspection);
  return inspection;
}

}  // namespace layerwise
