#include "block/head.h"

#include <utility>

#include "core/error.h"

namespace layerwise {

Head::Head(std::shared_ptr<Context> context, const HeadConfig& config)
    : Block(std::move(context), config.name, config.index, config.input, config.optimizer), config_(config) {
  const int64_t window = config_.max_pool ? 2 : config_.average_pool;
  require(window > 0, "the pooling window must be positive, not ", window);
  require(!config_.max_pool || config_.average_pool == 1, "a head pools by average or by maximum, not both");
  require(input_.h >= window && input_.w >= window, window, "×", window, " pooling of a ", input_.h, "×", input_.w,
          " map leaves nothing");
  require(config_.norm_momentum > 0 && config_.norm_momentum <= 1, "the momentum of the batch norm must be in (0, 1], not ",
          config_.norm_momentum);
  output_ = {1, input_.h / window, input_.w / window, input_.c};
  if (!config_.max_pool) pooling_.kernel_height = pooling_.kernel_width = config_.average_pool;
  if (config_.batch_norm) norm_.emplace(parameters_, "", input_.c, config_.affine, config_.norm_momentum);
  parameters_.allocate();
}

Head::Forward Head::forward_pass(const Tensor& x, bool training) {
  check_input(x);
  Forward forward;
  const bool pools = output_shape(x.shape.n) != x.shape;
  ArenaTensor& output = pools ? forward.pooled : forward.h;
  output = arena().take(x.type, output_shape(x.shape.n), arena().opposite(x));
  if (pools) forward.h = arena().take(x.type, x.shape);
  NormalizeActivate activate;
  activate.y = x;
  if (norm_ && training) {
    const DataType statistic = backend().parameter_type();
    forward.mean = arena().take(statistic, Shape::vector(x.shape.c));
    forward.variance = arena().take(statistic, Shape::vector(x.shape.c));
    backend().moments_of_tensor({ConvolutionForward::Moments::channel, x, forward.mean, forward.variance});
    norm_->connect_training(forward.mean, forward.variance, activate);
  } else if (norm_) {
    norm_->connect_evaluation(activate);
  }
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.h;
  activate.average_pooling = pooling_;
  activate.max_pool = config_.max_pool;
  (config_.max_pool ? activate.output : activate.pooled) = forward.pooled;
  backend().normalize_activate(activate);
  return forward;
}

ArenaTensor Head::train_step(const Tensor&, const Labels&, const Tensor&, ArenaTensor*) {
  fail(ErrorKind::invalid_argument, "a head has no local loss; use forward and backward");
}

Inspection Head::inspect(const Tensor&, const Labels&, const Tensor&) {
  fail(ErrorKind::invalid_argument, "a head has no local loss to inspect");
}

ArenaTensor Head::evaluate(const Tensor& x, const Labels&, const Tensor& shortcut) {
  require(!shortcut, "a head takes no shortcut");
  Forward forward = forward_pass(x, false);
  return std::move(forward.output());
}

Activation Head::forward(const Activation& x, const Labels&, const Tensor& shortcut) {
  require(!shortcut, "a head takes no shortcut");
  kept_forward_ = std::make_shared<Forward>(forward_pass(*x, true));
  kept_input_ = x;
  return Activation(kept_forward_, &kept_forward_->output());  // shares the ownership of all that was kept
}

PassedOn Head::backward(const Tensor& d_output, bool want_d_input, bool want_d_shortcut) {
  require(!want_d_shortcut, "a head takes no shortcut");
  if (!kept_forward_) fail(ErrorKind::invalid_state, "backward without a forward before it");
  const Activation kept_input = std::move(kept_input_);
  const std::shared_ptr<Forward> forward = std::move(kept_forward_);
  const Tensor& x = *kept_input;
  require(d_output.shape == output_shape(x.shape.n), "the gradient is ", d_output.shape.to_string(),
          ", but the block's output is ", output_shape(x.shape.n).to_string());
  const ArenaTensor gradients = parameters_.take_gradients();
  ArenaTensor g = arena().take(x.type, x.shape);
  HiddenGradient hidden;
  hidden.h = forward->h;
  hidden.negative_slope = config_.negative_slope;
  hidden.average_pooling = pooling_;
  hidden.max_pool = config_.max_pool;
  (config_.max_pool ? hidden.d_output : hidden.d_pooled) = d_output;
  hidden.g = g;
  BatchNorm::Gradients of_norm;
  if (norm_) {
    of_norm = norm_->gradients(gradients, arena());
    hidden.y = x;
    hidden.mean_y = forward->mean;
    hidden.variance_y = forward->variance;
    hidden.d_scale = of_norm.d_scale;
    hidden.d_shift = of_norm.d_shift;
  }
  backend().hidden_gradient(hidden);
  PassedOn passed_on;
  if (want_d_input && norm_)
    backend().batch_norm_gradient({g, x, forward->mean, forward->variance, norm_->scale(), of_norm.d_scale,
                                   of_norm.d_shift, {}, g});
  if (want_d_input) passed_on.d_input = std::move(g);
  parameters_.update(gradients);
  return passed_on;
}

}  // namespace layerwise
