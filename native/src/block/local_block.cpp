#include "block/local_block.h"

#include <utility>

#include "block/transfer.h"
#include "core/error.h"

namespace layerwise {

// ---- construction ---------------------------------------------------------------------------------

LocalBlock::LocalBlock(std::shared_ptr<Context> context, const LocalBlockConfig& config)
    : Block(std::move(context), config.name, config.index, config.input, config.optimizer), config_(config) {
  if (config_.linear) config_.convolution = {input_.h, input_.w, 1, 0};
  const Convolution& convolution = config_.convolution;
  require(config_.out_channels > 0, "the number of output channels must be positive, not ", config_.out_channels);
  check_convolution(convolution, input_);
  require(config_.dropout >= 0 && config_.dropout < 1, "dropout must be in [0, 1), not ", config_.dropout);
  hidden_ = {1, convolution.out_height(input_.h), convolution.out_width(input_.w), config_.out_channels};
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

void LocalBlock::check_operands(const Tensor& x, const Labels& labels, const Tensor& shortcut) const {
  check_input(x);
  if (losses_ && labels.values) check_labels(x, labels, config_.loss.classes);
  require(!shortcut || shortcut.shape == hidden_shape(x.shape.n), "the shortcut is ", shortcut.shape.to_string(),
          ", but the block's maps are ", hidden_shape(x.shape.n).to_string());
}

// ---- forward --------------------------------------------------------------------------------------

// y = W ∗ x + b;  h = act(batch_norm(y) [+ shortcut]);  output = max_pool(dropout(h))
LocalBlock::Forward LocalBlock::forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) {
  const bool training = mode == Mode::training;
  const int64_t samples = x.shape.n;
  const DataType activation = backend().activation_type(), statistic = backend().parameter_type();
  const Dropout dropout = training ? this->dropout() : Dropout{};
  // The output comes first, from the end where x is not: all that follows is gone when it is read.
  Forward forward;
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
ArenaTensor LocalBlock::hidden_gradient(const Step& step, const Tensor& d_output) {
  const Tensor& h = step.forward.h;
  ArenaTensor g = arena().take(h.type, h.shape);
  HiddenGradient op;
  op.h = h;
  op.negative_slope = config_.negative_slope;
  if (losses_) losses_->connect(step.branches, step.gradients, op);
  op.dropout = dropout();
  op.max_pool = config_.max_pool;
  op.d_output = d_output;
  op.g = g;
  if (norm_) {
    op.y = step.forward.y;
    op.mean_y = step.forward.mean;
    op.variance_y = step.forward.variance;
    const BatchNorm::Gradients of_norm = norm_->gradients(step.gradients, arena());
    op.d_scale = of_norm.d_scale;
    op.d_shift = of_norm.d_shift;
  }
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

// ---- steps ----------------------------------------------------------------------------------------

// Forward pass and local losses.
LocalBlock::Step LocalBlock::begin_step(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                                        Inspection* inspection) {
  check_operands(x, labels, shortcut);
  require(!losses_ || labels.values, "training needs labels");
  Step step;
  step.forward = forward_pass(x, shortcut, Mode::training);
  step.gradients = parameters_.take_gradients();
  if (losses_)
    step.branches = losses_->compute(step.forward.h, step.forward.pooled_or_h(), x, labels, step.gradients, metrics(),
                                     inspection);
  count_samples(x.shape.n);
  return step;
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

ArenaTensor LocalBlock::train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                                   ArenaTensor* d_shortcut) {
  require(losses_.has_value(), "the block has no local loss; use forward and backward");
  Step step = begin_step(x, labels, shortcut, nullptr);
  PassedOn passed_on = end_step(x, step, {}, false, d_shortcut != nullptr);
  parameters_.update(step.gradients);
  if (d_shortcut != nullptr) *d_shortcut = std::move(passed_on.d_shortcut);
  return std::move(step.forward.output());
}

Inspection LocalBlock::inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  require(losses_.has_value(), "the block has no local loss to inspect");
  Inspection inspection;
  Step step = begin_step(x, labels, shortcut, &inspection);
  const PassedOn passed_on = end_step(x, step, {}, false, static_cast<bool>(shortcut));
  inspection["h"] = download<float>(backend(), step.forward.h);
  if (shortcut) inspection["grad.shortcut"] = download<float>(backend(), passed_on.d_shortcut);
  inspect_gradients(step.gradients, inspection);
  return inspection;
}

ArenaTensor LocalBlock::evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  check_operands(x, labels, shortcut);
  Forward forward = forward_pass(x, shortcut, Mode::evaluation);
  if (labels.values) {
    if (losses_) losses_->evaluate(forward.pooled_or_h(), labels, metrics());
    count_samples(x.shape.n);
  }
  return std::move(forward.output());
}

ArenaTensor LocalBlock::local_logits(const Tensor& x, const Tensor& shortcut) {
  require(losses_.has_value(), "the block has no local loss and so no local classifier");
  losses_->require_label_classifier();
  check_operands(x, {}, shortcut);
  // From the end where x is not, as an output: what the forward pass takes is gone when the logits are read.
  ArenaTensor logits = arena().take(backend().parameter_type(), Shape::matrix(x.shape.n, config_.loss.classes),
                                    arena().opposite(x));
  const Forward forward = forward_pass(x, shortcut, Mode::evaluation);
  losses_->logits(forward.pooled_or_h(), logits);
  return logits;
}

// ---- with gradients that travel on ----------------------------------------------------------------

Activation LocalBlock::forward(const Activation& x, const Labels& labels, const Tensor& shortcut) {
  kept_step_ = std::make_shared<Step>(begin_step(*x, labels, shortcut, nullptr));
  kept_input_ = x;
  return Activation(kept_step_, &kept_step_->forward.output());  // shares the ownership of all that was kept
}

PassedOn LocalBlock::backward(const Tensor& d_output, bool want_d_input, bool want_d_shortcut) {
  if (!kept_step_) fail(ErrorKind::invalid_state, "backward without a forward before it");
  const Activation x = std::move(kept_input_);
  const std::shared_ptr<Step> step = std::move(kept_step_);
  const Shape expected = output_shape(x->view().shape.n);
  require(d_output.shape == expected, "the gradient is ", d_output.shape.to_string(), ", but the block's output is ",
          expected.to_string());
  PassedOn passed_on = end_step(*x, *step, d_output, want_d_input, want_d_shortcut);
  parameters_.update(step->gradients);
  return passed_on;
}

}  // namespace layerwise
