#include "block/preactivation_block.h"

#include <utility>

#include "core/error.h"

namespace layerwise {

namespace {

// Sets the element dropout's sequence apart from the channel dropout's; block indices stay below 2²⁵.
constexpr uint32_t element_dropout_stream = 1u << 31;

}  // namespace

PreactivationBlock::PreactivationBlock(std::shared_ptr<Context> context, const PreactivationBlockConfig& config)
    : LossBlock(std::move(context), config.name, config.index, config.input, config.optimizer), config_(config) {
  const Convolution& convolution = config_.convolution;
  require(config_.out_channels > 0, "the number of output channels must be positive, not ", config_.out_channels);
  check_convolution(convolution, input_);
  for (const double dropout : {config_.dropout, config_.input_dropout})
    require(dropout >= 0 && dropout < 1, "dropout must be in [0, 1), not ", dropout);
  output_ = convolution.output_shape(input_, config_.out_channels);

  const int64_t in = input_.c, out = config_.out_channels;
  const int64_t fan_in = in * convolution.kernel_height * convolution.kernel_width;
  if (config_.normalize_input) input_norm_.emplace(parameters_, "bn_pre.", in);
  encoder_weight_ = parameters_.add_parameter(
      "encoder.weight", {out, in, convolution.kernel_height, convolution.kernel_width},
      {out, convolution.kernel_height, convolution.kernel_width, in}, Initialization::uniform, fan_in);
  if (config_.bias)
    encoder_bias_ =
        parameters_.add_parameter("encoder.bias", {out}, Shape::vector(out), Initialization::uniform, fan_in);
  if (config_.loss.loss != LocalLoss::none) {
    loss_norm_.emplace(parameters_, "bn.", out);
    losses_.emplace(context_, config_.loss,
                    LossSurroundings{false, input_, output_, convolution, config_.negative_slope}, parameters_);
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
  const Tensor& input = forward.normalized(x);
  forward.a = arena().take(x.type, x.shape);
  NormalizeActivate activate;
  activate.y = input;
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.a;
  if (training) {
    const DataType statistic = backend().parameter_type();
    forward.input_mean = arena().take(statistic, Shape::vector(x.shape.c));
    forward.input_variance = arena().take(statistic, Shape::vector(x.shape.c));
    backend().moments_of_tensor(
        {ConvolutionForward::Moments::channel, input, forward.input_mean, forward.input_variance});
    input_norm_->connect_training(forward.input_mean, forward.input_variance, activate);
    if (config_.dropout > 0) forward.dropped_a = arena().take(x.type, x.shape);
    activate.dropout = channel_dropout();
    activate.output = forward.dropped_a;
  } else {
    input_norm_->connect_evaluation(activate);
  }
  backend().normalize_activate(activate);
}

// h = act(batch_norm'(s)), for the losses only
void PreactivationBlock::activate_output(Mode mode, PreactivationForward& forward) {
  const Tensor& s = forward.s;
  forward.h = arena().take(s.type, s.shape);
  if (losses_->uses_pooled() && !losses_->pooling().is_identity())
    forward.pooled = arena().take(s.type, losses_->pooled_shape(s.shape.n));
  NormalizeActivate activate;
  activate.y = s;
  if (mode == Mode::training) {
    const DataType statistic = backend().parameter_type();
    forward.mean = arena().take(statistic, Shape::vector(s.shape.c));
    forward.variance = arena().take(statistic, Shape::vector(s.shape.c));
    backend().moments_of_tensor({ConvolutionForward::Moments::channel, s, forward.mean, forward.variance});
    loss_norm_->connect_training(forward.mean, forward.variance, activate);
  } else {
    loss_norm_->connect_evaluation(activate);
  }
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.h;
  activate.average_pooling = losses_->pooling();
  activate.pooled = forward.pooled;
  backend().normalize_activate(activate);
}

// s = W ∗ a + b [+ shortcut]
PreactivationForward PreactivationBlock::forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) {
  PreactivationForward forward;
  // The output comes first, from the end where x is not: all that follows is gone when it is read.
  forward.s = arena().take(backend().activation_type(), output_shape(x.shape.n), arena().opposite(x));
  activate_input(x, mode, forward);
  ConvolutionForward convolve;
  convolve.convolution = config_.convolution;
  convolve.x = forward.convolved(x);
  convolve.weight = parameters_.weight(encoder_weight_);
  if (config_.bias) convolve.bias = parameters_.parameter(encoder_bias_);
  convolve.y = forward.s;
  backend().convolution_forward(convolve);
  if (shortcut) backend().add_tensor({shortcut, forward.s});
  if (losses_) activate_output(mode, forward);
  return forward;
}

// ---- backward -------------------------------------------------------------------------------------

// The gradient at s from the losses, through their batch norm, and from what reads the output.
void PreactivationBlock::loss_gradient(const Step& step, const Tensor& d_output, const Tensor& g) {
  const Tensor& s = step.forward.s;
  const BatchNorm::Gradients of_norm = loss_norm_->gradients(step.gradients, arena());
  HiddenGradient hidden;
  hidden.h = step.forward.h;
  hidden.negative_slope = config_.negative_slope;
  losses_->connect(step.branches, step.gradients, hidden);
  hidden.g = g;
  hidden.y = s;
  hidden.mean_y = step.forward.mean;
  hidden.variance_y = step.forward.variance;
  hidden.d_scale = of_norm.d_scale;
  hidden.d_shift = of_norm.d_shift;
  backend().hidden_gradient(hidden);
  BatchNormGradient norm;
  norm.g = g;
  norm.y = s;
  norm.mean = step.forward.mean;
  norm.variance = step.forward.variance;
  norm.scale = loss_norm_->scale();
  norm.d_scale = of_norm.d_scale;
  norm.d_shift = of_norm.d_shift;
  norm.addend = d_output;
  norm.d_y = g;
  backend().batch_norm_gradient(norm);
}

// From the gradient at the convolution's input to those of the batch norm before it and, where wanted, at x.
ArenaTensor PreactivationBlock::input_gradient(const Tensor& x, const Step& step, const Tensor& d_a,
                                               bool want_d_input) {
  const PreactivationForward& forward = step.forward;
  ArenaTensor g = arena().take(x.type, x.shape);
  const BatchNorm::Gradients of_norm = input_norm_->gradients(step.gradients, arena());
  HiddenGradient hidden;
  hidden.h = forward.a;
  hidden.negative_slope = config_.negative_slope;
  hidden.dropout = channel_dropout();
  hidden.d_output = d_a;
  hidden.g = g;
  hidden.y = forward.normalized(x);
  hidden.mean_y = forward.input_mean;
  hidden.variance_y = forward.input_variance;
  hidden.d_scale = of_norm.d_scale;
  hidden.d_shift = of_norm.d_shift;
  backend().hidden_gradient(hidden);
  if (!want_d_input) return {};
  BatchNormGradient norm;
  norm.g = g;
  norm.y = forward.normalized(x);
  norm.mean = forward.input_mean;
  norm.variance = forward.input_variance;
  norm.scale = input_norm_->scale();
  norm.d_scale = of_norm.d_scale;
  norm.d_shift = of_norm.d_shift;
  norm.d_y = g;
  backend().batch_norm_gradient(norm);
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
  EncoderGradient encoder;
  encoder.convolution = config_.convolution;
  encoder.x = convolved;
  encoder.weight = parameters_.weight(encoder_weight_);
  encoder.g = losses_ ? d_s.view() : d_output;
  encoder.d_weight = parameters_.gradient(step.gradients, encoder_weight_);
  if (config_.bias) encoder.d_bias = parameters_.gradient(step.gradients, encoder_bias_);
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
