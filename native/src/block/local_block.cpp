#include "block/local_block.h"

#include <utility>

#include "core/error.h"

namespace layerwise {

// ---- construction ---------------------------------------------------------------------------------

namespace {

LocalBlockConfig with_linear_as_convolution(LocalBlockConfig config) {
  if (config.linear) config.convolution = {config.input.h, config.input.w, 1, 0};
  return config;
}

}  // namespace

LocalBlock::LocalBlock(std::shared_ptr<Context> context, const LocalBlockConfig& config)
    : LossBlock(std::move(context), config),
      config_(with_linear_as_convolution(config)),
      encoder_(parameters_, config_.encoder_name, config_, config_.linear) {
  const Shape hidden = encoder_.output_shape();
  require(!config_.max_pool || (hidden.h >= 2 && hidden.w >= 2), "2×2 max-pooling of a ", hidden.h, "×", hidden.w,
          " map leaves nothing; take larger images or a network with fewer poolings");
  if (config_.batch_norm) norm_.emplace(*context_, parameters_, config_.norm_name, config_.out_channels);
  if (config_.loss.loss != LocalLoss::none)
    losses_.emplace(context_, config_.loss,
                    LossSurroundings{config_.linear, input_, hidden, config_.convolution, config_.negative_slope},
                    parameters_);
  parameters_.allocate();
}

Shape LocalBlock::output_shape(int64_t samples) const {
  return config_.max_pool ? max_pooled(hidden_shape(samples)) : hidden_shape(samples);
}

// ---- forward --------------------------------------------------------------------------------------

// y = W ∗ x + b;  h = act(batch_norm(y) [+ shortcut]);  output = max_pool(dropout(h))
LocalForward LocalBlock::forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) {
  const bool training = mode == Mode::training;
  const int64_t samples = x.shape.n;
  const Dropout dropout = training ? this->dropout() : Dropout{};
  // The output comes first, from the end where x is not: all that follows is gone when it is read.
  LocalForward forward;
  const bool output_is_h = dropout.probability == 0 && !config_.max_pool;
  ArenaTensor& output = output_is_h ? forward.h : forward.next;
  output = arena().take(x.type, output_shape(samples), arena().opposite(x));
  if (!output_is_h) forward.h = arena().take(x.type, hidden_shape(samples));
  if (losses_) forward.pooled = losses_->take_pooled(forward.h);
  forward.y = arena().take(x.type, hidden_shape(samples));

  ConvolutionForward convolve = encoder_.forward(x, forward.y);
  if (norm_ && training) forward.statistics = norm_->statistics_of(convolve);
  backend().convolution_forward(convolve);
  if (norm_ && training) norm_->merge(forward.statistics, forward.y);

  NormalizeActivate activate;
  activate.y = forward.y;
  if (norm_) norm_->connect(forward.statistics, activate);
  activate.shortcut = shortcut;
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.h;
  if (losses_) activate.average_pooling = losses_->pooling();
  activate.pooled = forward.pooled;
  activate.dropout = dropout;
  activate.max_pool = config_.max_pool;
  activate.output = forward.next;
  backend().normalize_activate(activate);
  if (norm_) norm_->agree_on_running(forward.statistics, forward.y);
  return forward;
}

// ---- backward -------------------------------------------------------------------------------------

// The gradient at the pre-activation, from all that depends on h.
ArenaTensor LocalBlock::hidden_gradient(Step& step, const Tensor& d_output) {
  const Tensor h = step.forward.h;
  HiddenGradient op;
  op.h = h;
  op.negative_slope = config_.negative_slope;
  if (losses_) losses_->connect(step.branches, step.gradients, op);
  op.dropout = dropout();
  op.max_pool = config_.max_pool;
  op.d_output = d_output;
  if (norm_) norm_->connect_gradient(step.forward.y, step.forward.statistics, step.gradients, op);
  // In the place of h, which nothing else needs unless it is passed on: one map less in memory.
  const bool replaces_h = step.forward.next && backend().gradient_replaces_h(op);
  ArenaTensor g = replaces_h ? std::move(step.forward.h) : arena().take(h.type, h.shape);
  op.g = g;
  backend().hidden_gradient(op);
  return g;
}

// Through batch norm into the encoder. The local method stops here: no gradient at x.
ArenaTensor LocalBlock::encoder_gradient(const Tensor& x, const Step& step, const Tensor& g, const Tensor& d_y,
                                         bool want_d_input) {
  ArenaTensor d_x;
  if (want_d_input) d_x = arena().take(x.type, x.shape);
  EncoderGradient op = encoder_.gradient(x, g, step.gradients);
  if (norm_) {
    norm_->sum_gradients(step.forward.y, step.forward.statistics, step.gradients);
    norm_->connect_gradient(step.forward.y, step.forward.statistics, step.gradients, op);
  }
  op.d_x = d_x;
  op.d_y = d_y;
  backend().encoder_gradient(op);
  return d_x;
}

PassedOn LocalBlock::end_step(const Tensor& x, Step& step, const Tensor& d_output, bool want_d_input,
                              bool want_d_shortcut) {
  ArenaTensor g = hidden_gradient(step, d_output);
  step.branches = {};
  ArenaTensor d_y;  // apart from g where g is wanted, in its place otherwise
  if (want_d_shortcut) d_y = arena().take(g.view().type, g.view().shape);
  PassedOn passed_on;
  passed_on.d_input = encoder_gradient(x, step, g, d_y, want_d_input);
  if (want_d_shortcut) passed_on.d_shortcut = std::move(g);  // the shortcut enters where g is the gradient
  return passed_on;
}

}  // namespace layerwise
