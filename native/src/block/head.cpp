#include "block/head.h"

#include <utility>

#include "core/error.h"

namespace layerwise {

Head::Head(std::shared_ptr<Context> context, const HeadConfig& config)
    : LossBlock(std::move(context), config), config_(config) {
  const int64_t window = config_.max_pool ? 2 : config_.average_pool;
  require(window > 0, "the pooling window must be positive, not ", window);
  require(!config_.max_pool || config_.average_pool == 1, "a head pools by average or by maximum, not both");
  require(input_.h >= window && input_.w >= window, window, "×", window, " pooling of a ", input_.h, "×", input_.w,
          " map leaves nothing");
  require(config_.norm_momentum > 0 && config_.norm_momentum <= 1, "the momentum of the batch norm must be in (0, 1], not ",
          config_.norm_momentum);
  pooling_.kernel_height = pooling_.kernel_width = config_.average_pool;
  output_ = config_.max_pool ? max_pooled(input_) : pooling_.output_shape(input_);
  if (config_.batch_norm)
    norm_.emplace(*context_, parameters_, "", input_.c, config_.affine, config_.norm_momentum);
  parameters_.allocate();
}

HeadForward Head::forward_pass(const Tensor& x, const Tensor&, Mode mode) {
  HeadForward forward;
  const bool pools = output_ != input_;
  ArenaTensor& output = pools ? forward.pooled : forward.h;
  output = arena().take(x.type, output_shape(x.shape.n), arena().opposite(x));
  if (pools) forward.h = arena().take(x.type, x.shape);
  NormalizeActivate activate;
  activate.y = x;
  if (norm_) {
    if (mode == Mode::training) forward.statistics = norm_->statistics_of(x);
    norm_->connect(forward.statistics, activate);
  }
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.h;
  activate.average_pooling = pooling_;
  activate.max_pool = config_.max_pool;
  (config_.max_pool ? activate.output : activate.pooled) = forward.pooled;
  backend().normalize_activate(activate);
  if (norm_) norm_->agree_on_running(forward.statistics, x);
  return forward;
}

PassedOn Head::end_step(const Tensor& x, Step& step, const Tensor& d_output, bool want_d_input, bool) {
  ArenaTensor g = arena().take(x.type, x.shape);
  HiddenGradient hidden;
  hidden.h = step.forward.h;
  hidden.negative_slope = config_.negative_slope;
  hidden.average_pooling = pooling_;
  hidden.max_pool = config_.max_pool;
  (config_.max_pool ? hidden.d_output : hidden.d_pooled) = d_output;
  hidden.g = g;
  if (norm_) norm_->connect_gradient(x, step.forward.statistics, step.gradients, hidden);
  backend().hidden_gradient(hidden);
  PassedOn passed_on;
  if (want_d_input) {
    if (norm_) norm_->backward(x, step.forward.statistics, step.gradients, g);
    passed_on.d_input = std::move(g);
  }
  return passed_on;
}

}  // namespace layerwise
