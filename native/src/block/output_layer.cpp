#include "block/output_layer.h"

#include <utility>

#include "context/transfer.h"
#include "core/error.h"

namespace layerwise {

OutputLayer::OutputLayer(std::shared_ptr<Context> context, const OutputLayerConfig& config)
    : Block(std::move(context), config), config_(config) {
  require(config_.classes >= 2, "an output layer needs at least 2 classes, not ", config_.classes);
  require(config_.loss_scale >= 0, "the loss scale must not be negative, but is ", config_.loss_scale);
  const int64_t features = input_.features();
  weight_ = parameters_.add_parameter("weight", {config_.classes, features},
                                      {config_.classes, input_.h, input_.w, input_.c},
                                      config_.zero_start ? Initialization::zero : Initialization::uniform, features,
                                      ParameterGroup::classifier);
  bias_ = parameters_.add_parameter("bias", {config_.classes}, Shape::vector(config_.classes),
                                    Initialization::uniform, features, ParameterGroup::classifier);
  parameters_.allocate();
}

ArenaTensor OutputLayer::take_logits(const Tensor& x) const {
  return arena().take(backend().parameter_type(), Shape::matrix(x.shape.n, config_.classes), arena().opposite(x));
}

ClassifierLoss OutputLayer::classifier(const Tensor& x, const Tensor& logits) const {
  ClassifierLoss op;
  op.x = x;
  op.weight = parameters_.weight(weight_);
  op.bias = parameters_.parameter(bias_);
  op.logits = logits;
  return op;
}

void OutputLayer::connect_loss(const Labels& labels, ClassifierLoss& op) const {
  check_labels(op.x, labels, config_.classes);
  op.labels = labels.numbers();
  op.targets = labels.shares();
  op.metrics = metrics();
}

OutputLayer::Step OutputLayer::take_step(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                                         bool want_d_x) {
  check_input(x);
  check_shortcut(shortcut, x.shape.n);
  Step step;
  if (want_d_x) step.d_x = arena().take(x.type, x.shape, arena().opposite(x));
  step.logits = take_logits(x);
  step.gradients = parameters_.take_gradients();
  ClassifierLoss classify = classifier(x, step.logits);
  connect_loss(labels, classify);
  classify.label_smoothing = config_.label_smoothing;
  classify.gradient_scale = config_.loss_scale * data_parallel().share(x.shape.n);
  classify.d_weight = parameters_.gradient(step.gradients, weight_);
  classify.d_bias = parameters_.gradient(step.gradients, bias_);
  classify.d_x = step.d_x;
  backend().classifier_loss(classify);
  count_samples(x.shape.n);
  return step;
}

ArenaTensor OutputLayer::train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut, ArenaTensor*) {
  Step step = take_step(x, labels, shortcut, false);
  parameters_.update(step.gradients);
  return std::move(step.logits);
}

Activation OutputLayer::forward(const Activation& x, const Labels& labels, const Tensor& shortcut) {
  kept_step_ = std::make_shared<Step>(take_step(*x, labels, shortcut, true));
  return Activation(kept_step_, &kept_step_->logits);  // shares the ownership of all that was kept
}

PassedOn OutputLayer::backward(const Tensor& d_output, bool want_d_input, bool want_d_shortcut) {
  require(!d_output, "the network ends here; there is no gradient at the output");
  require(!want_d_shortcut, "the block takes no shortcut");
  require_state(kept_step_ != nullptr, "backward without a forward before it");
  const std::shared_ptr<Step> step = std::move(kept_step_);
  parameters_.update(step->gradients);
  PassedOn passed_on;
  if (want_d_input) passed_on.d_input = std::move(step->d_x);
  return passed_on;
}

ArenaTensor OutputLayer::evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  check_input(x);
  check_shortcut(shortcut, x.shape.n);
  ArenaTensor logits = take_logits(x);
  ClassifierLoss classify = classifier(x, logits);
  if (labels.values) connect_loss(labels, classify);
  backend().classifier_loss(classify);
  if (labels.values) count_samples(x.shape.n);
  return logits;
}

Inspection OutputLayer::inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  const Step step = take_step(x, labels, shortcut, false);
  Inspection inspection;
  inspection["local_logits"] = download<float>(backend(), step.logits);
  inspect_gradients(step.gradients, inspection);
  return inspection;
}

}  // namespace layerwise
