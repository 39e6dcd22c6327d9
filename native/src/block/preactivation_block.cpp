#include "block/preactivation_block.h"

#include <utility>

#include "core/error.h"

namespace layerwise {

namespace {

// Sets the element dropout's sequence apart from the channel dropout's; block indices stay below 2²⁵.
constexpr uint32_t element_dropout_stream = 1u << 31;

}  // namespace

PreactivationBlock::PreactivationBlock(std::shared_ptr<Context> context, const PreactivationBlockConfig& config)
    : LossBlock(std::move(context), config),
      config_(config),
      input_norm_(config.normalize_input ? std::make_optional<BatchNorm>(*context_, parameters_, "bn_pre.", input_.c)
                                         : std::nullopt),
      encoder_(parameters_, "encoder.", config) {
  require(config_.input_dropout >= 0 && config_.input_dropout < 1, "dropout must be in [0, 1), not ",
          config_.input_dropout);
  if (config_.loss.loss != LocalLoss::none) {
    loss_norm_.emplace(*context_, parameters_, "bn.", config_.out_channels);
    losses_.emplace(context_, config_.loss,
                    LossSurroundings{false, input_, encoder_.output_shape(), config_.convolution,
                                     config_.negative_slope},
                    parameters_);
  }
  parameters_.allocate();
}

Dropout PreactivationBlock::element_dropout() const {
  return {config_.input_dropout, config_.index | element_dropout_stream};
}

// ---- forward --------------------------------------------------------------------------------------

// a = dropout(act(batch_norm(dropout(x))))
void PreactivationBlock::activate_input(const Tensor& x, Mode mode, PreactivationForward& forward) {
  const bool training = mode == Mode::training;
  if (training && config_.input_dropout > 0) {
    forward.dropped_input = arena().take(x.type, x.shape);
    backend().drop_elements({x, element_dropout(), forward.dropped_input});
  }
  if (!input_norm_) return;
  forward.a = arena().take(x.type, x.shape);
  NormalizeActivate activate;
  activate.y = forward.normalized(x);
  if (training) {
    forward.input_statistics = input_norm_->statistics_of(activate.y);
    if (config_.dropout > 0) forward.dropped_a = arena().take(x.type, x.shape);
    activate.dropout = channel_dropout();
    activate.output = forward.dropped_a;
  }
  input_norm_->connect(forward.input_statistics, activate);
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.a;
  backend().normalize_activate(activate);
  input_norm_->agree_on_running(forward.input_statistics, activate.y);
}

// h = act(batch_norm'(s)), for the losses only
void PreactivationBlock::activate_output(Mode mode, PreactivationForward& forward) {
  const Tensor& s = forward.s;
  forward.h = arena().take(s.type, s.shape);
  forward.pooled = losses_->take_pooled(forward.h);
  if (mode == Mode::training) forward.statistics = loss_norm_->statistics_of(s);
  NormalizeActivate activate;
  activate.y = s;
  loss_norm_->connect(forward.statistics, activate);
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.h;
  activate.average_pooling = losses_->pooling();
  activate.pooled = forward.pooled;
  backend().normalize_activate(activate);
  loss_norm_->agree_on_running(forward.statistics, s);
}

// s = W ∗ a + b [+ shortcut]
PreactivationForward PreactivationBlock::forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) {
  PreactivationForward forward;
  // The output comes first, from the end where x is not: all that follows is gone when it is read.
  forward.s = arena().take(x.type, output_shape(x.shape.n), arena().opposite(x));
  activate_input(x, mode, forward);
  backend().convolution_forward(encoder_.forward(forward.convolved(x), forward.s));
  if (shortcut) backend().add_tensor({shortcut, forward.s});
  if (losses_) activate_output(mode, forward);
  return forward;
}

// ---- backward -------------------------------------------------------------------------------------

// The gradient at s from the losses, through their batch norm, and from what reads the output.
void PreactivationBlock::loss_gradient(const Step& step, const Tensor& d_output, const Tensor& g) {
  const PreactivationForward& forward = step.forward;
  HiddenGradient hidden;
  hidden.h = forward.h;
  hidden.negative_slope = config_.negative_slope;
  losses_->connect(step.branches, step.gradients, hidden);
  loss_norm_->connect_gradient(forward.s, forward.statistics, step.gradients, hidden);
  hidden.g = g;
  backend().hidden_gradient(hidden);
  loss_norm_->backward(forward.s, forward.statistics, step.gradients, g, d_output);
}

// From the gradient at the convolution's input to those of the batch norm before it and, where wanted, at x.
ArenaTensor PreactivationBlock::input_gradient(const Tensor& x, const Step& step, const Tensor& d_a,
                                               bool want_d_input) {
  const PreactivationForward& forward = step.forward;
  const Tensor& normalized = forward.normalized(x);
  ArenaTensor g = arena().take(x.type, x.shape);
  HiddenGradient hidden;
  hidden.h = forward.a;
  hidden.negative_slope = config_.negative_slope;
  hidden.dropout = channel_dropout();
  hidden.d_output = d_a;
  input_norm_->connect_gradient(normalized, forward.input_statistics, step.gradients, hidden);
  hidden.g = g;
  backend().hidden_gradient(hidden);
  if (!want_d_input) return {};
  input_norm_->backward(normalized, forward.input_statistics, step.gradients, g);
  return g;
}

PassedOn PreactivationBlock::end_step(const Tensor& x, Step& step, const Tensor& d_output, bool want_d_input,
                                      bool want_d_shortcut) {
  PassedOn passed_on;
  ArenaTensor d_s = arena().take(step.forward.s.view().type, step.forward.s.view().shape);
  if (losses_) loss_gradient(step, d_output, d_s);
  step.branches = {};
  const Tensor& convolved = step.forward.convolved(x);
  ArenaTensor d_a;
  if (want_d_input || input_norm_) d_a = arena().take(convolved.type, convolved.shape);
  EncoderGradient encoder = encoder_.gradient(convolved, losses_ ? d_s.view() : d_output, step.gradients);
  encoder.d_x = d_a;
  encoder.d_y = d_s;
  backend().encoder_gradient(encoder);
  if (want_d_shortcut) passed_on.d_shortcut = std::move(d_s);  // the shortcut is a summand of s

  ArenaTensor d_normalized = std::move(d_a);
  if (input_norm_) d_normalized = input_gradient(x, step, d_normalized, want_d_input);
  if (!want_d_input) return passed_on;
  passed_on.d_input = std::move(d_normalized);
  if (step.forward.dropped_input) {
    ArenaTensor d_x = arena().take(x.type, x.shape);
    backend().drop_elements({passed_on.d_input, element_dropout(), d_x});
    passed_on.d_input = std::move(d_x);
  }
  return passed_on;
}

}  // namespace layerwise
