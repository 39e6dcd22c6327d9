#include "block/local_block.h"

#include <utility>

#include "core/error.h"

namespace layerwise {

// ---- construction ---------------------------------------------------------------------------------

LocalBlock::LocalBlock(std::shared_ptr<Context> context, const LocalBlockConfig& config)
    : LossBlock(std::move(context), config.name, config.index, config.input, config.optimizer), config_(config) {
  if (config_.linear) config_.convolution = {input_.h, input_.w, 1, 0};
  const Convolution& convolution = config_.convolution;
  require(config_.out_channels > 0, "the number of output channels must be positive, not ", config_.out_channels);
  check_convolution(convolution, input_);
  require(config_.dropout >= 0 && config_.dropout < 1, "dropout must be in [0, 1), not ", config_.dropout);
  hidden_ = convolution.output_shape(input_, config_.out_channels);
  require(!config_.max_pool || (hidden_.h >= 2 && hidden_.w >= 2), "2×2 max-pooling of a ", hidden_.h, "×", hidden_.w,
          " map leaves nothing; take larger images or a network with fewer poolings");
  add_parameters();
}

void LocalBlock::add_parameters() {
  const int64_t in = input_.c, out = config_.out_channels;
  const Convolution& convolution = config_.convolution;
  const int64_t fan_in = in * convolution.kernel_height * convolution.kernel_width;
  std::vector<int64_t> dimensions{out, fan_in};
  if (!config_.linear) dimensions = {out, in, convolution.kernel_height, convolution.kernel_width};
  encoder_weight_ = parameters_.add_parameter(config_.encoder_name + "weight", std::move(dimensions),
                                              {out, convolution.kernel_height, convolution.kernel_width, in},
                                              Initialization::uniform, fan_in);
  if (config_.bias)
    encoder_bias_ =
        parameters_.add_parameter(config_.encoder_name + "bias", {out}, Shape::vector(out), Initialization::uniform, fan_in);
  if (config_.batch_norm) norm_.emplace(parameters_, config_.norm_name, out);
  if (config_.loss.loss != LocalLoss::none)
    losses_.emplace(context_, config_.loss,
                    LossSurroundings{config_.linear, input_, hidden_, convolution, config_.negative_slope},
                    parameters_);
  parameters_.allocate();
}

Shape LocalBlock::hidden_shape(int64_t samples) const { return {samples, hidden_.h, hidden_.w, hidden_.c}; }

Shape LocalBlock::output_shape(int64_t samples) const {
  return config_.max_pool ? Shape{samples, hidden_.h / 2, hidden_.w / 2, hidden_.c} : hidden_shape(samples);
}

// ---- forward --------------------------------------------------------------------------------------

// y = W ∗ x + b;  h = act(batch_norm(y) [+ shortcut]);  output = max_pool(dropout(h))
LocalForward LocalBlock::forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) {
  const bool training = mode == Mode::training;
  const int64_t samples = x.shape.n;
  const DataType activation = backend().activation_type(), statistic = backend().parameter_type();
  const Dropout dropout = training ? this->dropout() : Dropout{};
  // The output comes first, from the end where x is not: all that follows is gone when it is read.
  LocalForward forward;
  const bool output_is_h = dropout.probability == 0 && !config_.max_pool;
  ArenaTensor& output = output_is_h ? forward.h : forward.next;
  output = arena().take(activation, output_shape(samples), arena().opposite(x));
  if (!output_is_h) forward.h = arena().take(activation, hidden_shape(samples));
  if (losses_ && losses_->uses_pooled() && !losses_->pooling().is_identity())
    forward.pooled = arena().take(activation, losses_->pooled_shape(samples));
  forward.y = arena().take(activation, hidden_shape(samples));

  ConvolutionForward convolve;
  convolve.convolution = config_.convolution;
  convolve.x = x;
  convolve.weight = parameters_.weight(encoder_weight_);
  if (config_.bias) convolve.bias = parameters_.parameter(encoder_bias_);
  convolve.y = forward.y;
  if (norm_ && training) {
    forward.mean = arena().take(statistic, Shape::vector(hidden_.c));
    forward.variance = arena().take(statistic, Shape::vector(hidden_.c));
    convolve.moments = ConvolutionForward::Moments::channel;
    convolve.mean = forward.mean;
    convolve.spread = forward.variance;
  }
  backend().convolution_forward(convolve);

  NormalizeActivate activate;
  activate.y = forward.y;
  if (norm_) {
    if (training)
      norm_->connect_training(forward.mean, forward.variance, activate);
    else
      norm_->connect_evaluation(activate);
  }
  activate.shortcut = shortcut;
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.h;
  if (losses_) activate.average_pooling = losses_->pooling();
  activate.pooled = forward.pooled;
  activate.dropout = dropout;
  activate.max_pool = config_.max_pool;
  activate.output = forward.next;
  backend().normalize_activate(activate);
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
  if (norm_) {
    op.y = step.forward.y;
    op.mean_y = step.forward.mean;
    op.variance_y = step.forward.variance;
    const BatchNorm::Gradients of_norm = norm_->gradients(step.gradients, arena());
    op.d_scale = of_norm.d_scale;
    op.d_shift = of_norm.d_shift;
  }
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
  EncoderGradient op;
  op.convolution = config_.convolution;
  op.x = x;
  op.weight = parameters_.weight(encoder_weight_);
  op.g = g;
  if (norm_) {
    op.y = step.forward.y;
    op.mean = step.forward.mean;
    op.variance = step.forward.variance;
    op.scale = norm_->scale();
    const BatchNorm::Gradients of_norm = norm_->gradients(step.gradients, arena());
    op.d_scale = of_norm.d_scale;
    op.d_shift = of_norm.d_shift;
  }
  op.d_weight = parameters_.gradient(step.gradients, encoder_weight_);
  if (config_.bias) op.d_bias = parameters_.gradient(step.gradients, encoder_bias_);
  op.d_x = d_x;
  op.d_y = d_y;
  backend().encoder_gradient(op);
  return d_x;
}

// The gradients of all parameters, and of what they depend on where that is wanted.
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
