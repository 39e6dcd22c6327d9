#include "block/local_block.h"

#include <utility>

#include "block/pooling_rule.h"
#include "block/transfer.h"
#include "core/error.h"

namespace layerwise {

// ---- construction ---------------------------------------------------------------------------------

LocalBlock::LocalBlock(std::shared_ptr<Context> context, const LocalBlockConfig& config)
    : Block(std::move(context), config.name, config.index, config.input, config.optimizer), config_(config) {
  if (config_.linear) config_.convolution = {input_.h, input_.w, 1, 0};
  const Convolution& convolution = config_.convolution;
  require(config_.out_channels > 0, "the number of output channels must be positive, not ", config_.out_channels);
  require(convolution.kernel_height > 0 && convolution.stride > 0 && convolution.padding >= 0,
          "kernel and stride must be positive and padding not negative");
  require(input_.h + 2 * convolution.padding >= convolution.kernel_height &&
              input_.w + 2 * convolution.padding >= convolution.kernel_width,
          "a ", convolution.kernel_height, "×", convolution.kernel_width, " convolution does not fit a ", input_.h, "×",
          input_.w, " map with padding ", convolution.padding);
  require(config_.dropout >= 0 && config_.dropout < 1, "dropout must be in [0, 1), not ", config_.dropout);
  require(config_.beta >= 0 && config_.beta <= 1, "beta must be in [0, 1], not ", config_.beta);
  hidden_ = {1, convolution.out_height(input_.h), convolution.out_width(input_.w), config_.out_channels};
  require(!config_.max_pool || (hidden_.h >= 2 && hidden_.w >= 2), "2×2 max-pooling of a ", hidden_.h, "×", hidden_.w,
          " map leaves nothing; take larger images or a network with fewer poolings");
  if (config_.loss != LocalLoss::none) {
    require(config_.classes >= 2, "a local loss needs at least 2 classes, not ", config_.classes);
    require(config_.dim_in_decoder > 0, "dim_in_decoder must be positive, not ", config_.dim_in_decoder);
  }
  classifier_pooling_ = local_classifier_pooling(hidden_.c, hidden_.h, hidden_.w, config_.dim_in_decoder);
  similarity_convolution_ = config_.linear ? Convolution{1, 1, 1, 0} : Convolution{3, 3, 1, 1};
  add_parameters();
}

void LocalBlock::add_parameters() {
  const int64_t in = input_.c, out = config_.out_channels;
  const Convolution& convolution = config_.convolution;
  const auto weight_dimensions = [&](int64_t rows, int64_t columns, const Convolution& kernel) {
    if (config_.linear) return std::vector<int64_t>{rows, columns * kernel.kernel_height * kernel.kernel_width};
    return std::vector<int64_t>{rows, columns, kernel.kernel_height, kernel.kernel_width};
  };
  const int64_t fan_in = in * convolution.kernel_height * convolution.kernel_width;
  encoder_weight_ = parameters_.add_parameter("encoder.weight", weight_dimensions(out, in, convolution),
                                              {out, convolution.kernel_height, convolution.kernel_width, in},
                                              Initialization::uniform, fan_in);
  if (config_.bias)
    encoder_bias_ =
        parameters_.add_parameter("encoder.bias", {out}, Shape::vector(out), Initialization::uniform, fan_in);
  if (config_.batch_norm) {
    norm_scale_ = parameters_.add_parameter("bn.weight", {out}, Shape::vector(out), Initialization::one, 1);
    norm_shift_ = parameters_.add_parameter("bn.bias", {out}, Shape::vector(out), Initialization::zero, 1);
    running_mean_ = parameters_.add_buffer("bn.running_mean", out, Initialization::zero);
    running_variance_ = parameters_.add_buffer("bn.running_var", out, Initialization::one);
  }
  if (learns_prediction()) {
    const Shape pooled = pooled_shape(1);
    decoder_weight_ = parameters_.add_parameter("decoder_y.weight", {config_.classes, pooled.features()},
                                                {config_.classes, pooled.h, pooled.w, pooled.c},
                                                Initialization::zero, 1);
    decoder_bias_ = parameters_.add_parameter("decoder_y.bias", {config_.classes}, Shape::vector(config_.classes),
                                              Initialization::uniform, pooled.features());
  }
  if (learns_similarity()) {
    const Convolution& kernel = similarity_convolution_;
    similarity_kernel_ = parameters_.add_parameter(
        config_.linear ? "linear_loss.weight" : "conv_loss.weight", weight_dimensions(out, out, kernel),
        {out, kernel.kernel_height, kernel.kernel_width, out}, Initialization::uniform,
        out * kernel.kernel_height * kernel.kernel_width);
  }
  parameters_.allocate();
}

Shape LocalBlock::hidden_shape(int64_t samples) const { return {samples, hidden_.h, hidden_.w, hidden_.c}; }

Shape LocalBlock::output_shape(int64_t samples) const {
  return config_.max_pool ? Shape{samples, hidden_.h / 2, hidden_.w / 2, hidden_.c} : hidden_shape(samples);
}

Shape LocalBlock::pooled_shape(int64_t samples) const {
  return {samples, classifier_pooling_.out_height(hidden_.h), classifier_pooling_.out_width(hidden_.w), hidden_.c};
}

bool LocalBlock::uses_deviations() const {
  return !config_.linear && config_.similarity_std && hidden_.c > 3 && hidden_.h > 1;
}

void LocalBlock::check_shortcut(const Tensor& x, const Tensor& shortcut) const {
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
  if (learns_prediction() && !classifier_pooling_.is_identity())
    forward.pooled = arena().take(activation, pooled_shape(samples));
  forward.y = arena().take(activation, hidden_shape(samples));

  ConvolutionForward convolve;
  convolve.convolution = config_.convolution;
  convolve.x = x;
  convolve.weight = parameters_.parameter(encoder_weight_);
  if (config_.bias) convolve.bias = parameters_.parameter(encoder_bias_);
  convolve.y = forward.y;
  if (config_.batch_norm && training) {
    forward.mean = arena().take(statistic, Shape::vector(hidden_.c));
    forward.variance = arena().take(statistic, Shape::vector(hidden_.c));
    convolve.moments = ConvolutionForward::Moments::channel;
    convolve.mean = forward.mean;
    convolve.spread = forward.variance;
  }
  backend().convolution_forward(convolve);

  NormalizeActivate activate;
  activate.y = forward.y;
  if (config_.batch_norm) {
    const Tensor running_mean = parameters_.buffer(running_mean_);
    const Tensor running_variance = parameters_.buffer(running_variance_);
    activate.mean = training ? forward.mean.view() : running_mean;
    activate.variance = training ? forward.variance.view() : running_variance;
    activate.scale = parameters_.parameter(norm_scale_);
    activate.shift = parameters_.parameter(norm_shift_);
    if (training) {
      activate.running_mean = running_mean;
      activate.running_variance = running_variance;
    }
  }
  activate.shortcut = shortcut;
  activate.negative_slope = config_.negative_slope;
  activate.h = forward.h;
  activate.average_pooling = classifier_pooling_;
  activate.pooled = forward.pooled;
  activate.dropout = dropout;
  activate.max_pool = config_.max_pool;
  activate.output = forward.next;
  backend().normalize_activate(activate);
  return forward;
}

// logits = W_d · average_pool(h) + b_d; cross-entropy with the labels.
ClassifierLoss LocalBlock::local_classifier(const Forward& forward, const Labels& labels) const {
  ClassifierLoss classify;
  classify.x = forward.classifier_input();
  classify.weight = parameters_.parameter(decoder_weight_);
  classify.bias = parameters_.parameter(decoder_bias_);
  classify.labels = labels.values;
  classify.gradient_scale = prediction_weight();
  classify.metrics = metrics();
  return classify;
}

// ---- local losses ---------------------------------------------------------------------------------

// pred: the local classifier's cross-entropy. Returns the gradient at the pooled h.
ArenaTensor LocalBlock::prediction_loss(const Forward& forward, const Labels& labels, const ArenaTensor& gradients,
                                        Inspection* inspection) {
  const Tensor& pooled = forward.classifier_input();
  ArenaTensor d_pooled = arena().take(pooled.type, pooled.shape);
  ArenaTensor logits;
  if (inspection != nullptr)
    logits = arena().take(backend().parameter_type(), Shape::matrix(pooled.shape.n, config_.classes));

  ClassifierLoss classify = local_classifier(forward, labels);
  classify.d_weight = parameters_.gradient(gradients, decoder_weight_);
  classify.d_bias = parameters_.gradient(gradients, decoder_bias_);
  classify.d_x = d_pooled;
  classify.logits = logits;
  backend().classifier_loss(classify);

  if (inspection != nullptr) (*inspection)["local_logits"] = download<float>(backend(), logits);
  return d_pooled;
}

// sim: z = V ∗ h; features = standard deviation of z over positions, or z flattened; similarity matching
// of the features against the labels.
LocalBlock::SimilarityBranch LocalBlock::similarity_loss(const Tensor& h, const Labels& labels,
                                                         Inspection* inspection) {
  const DataType statistic = backend().parameter_type();
  const int64_t samples = h.shape.n;
  SimilarityBranch branch;
  branch.z = arena().take(h.type, h.shape);
  ConvolutionForward convolve;
  convolve.convolution = similarity_convolution_;
  convolve.x = h;
  convolve.weight = parameters_.parameter(similarity_kernel_);
  convolve.y = branch.z;
  if (uses_deviations()) {
    const Shape per_channel = Shape::matrix(samples, h.shape.c);
    branch.mean = arena().take(statistic, per_channel);
    branch.deviation = arena().take(statistic, per_channel);
    branch.d_deviation = arena().take(statistic, per_channel);
    convolve.moments = ConvolutionForward::Moments::sample_channel;
    convolve.mean = branch.mean;
    convolve.spread = branch.deviation;
  } else {
    branch.d_z = arena().take(h.type, h.shape);
  }
  backend().convolution_forward(convolve);

  ArenaTensor similarity, target;
  if (inspection != nullptr) {
    similarity = arena().take(statistic, Shape::matrix(samples, samples));
    target = arena().take(statistic, Shape::matrix(samples, samples));
  }
  SimilarityLoss match;
  match.x = uses_deviations() ? branch.deviation : branch.z;
  match.labels = labels.values;
  match.classes = config_.classes;
  match.gradient_scale = similarity_weight();
  match.d_x = uses_deviations() ? branch.d_deviation : branch.d_z;
  match.similarity = similarity;
  match.target = target;
  match.metrics = metrics();
  backend().similarity_loss(match);

  if (inspection != nullptr) {
    (*inspection)["similarity_hidden"] = download<float>(backend(), similarity);
    (*inspection)["similarity_target"] = download<float>(backend(), target);
  }
  return branch;
}

// ---- backward -------------------------------------------------------------------------------------

// The gradient at the pre-activation, from all that depends on h; absent tensors contribute nothing.
ArenaTensor LocalBlock::hidden_gradient(const Forward& forward, const SimilarityBranch& similarity,
                                        const Tensor& d_pooled, const Tensor& d_output,
                                        const ArenaTensor& gradients) {
  const Tensor& h = forward.h;
  ArenaTensor g = arena().take(h.type, h.shape);
  HiddenGradient op;
  op.h = h;
  op.negative_slope = config_.negative_slope;
  if (similarity.z) {
    op.similarity_convolution = similarity_convolution_;
    op.similarity_weight = parameters_.parameter(similarity_kernel_);
    op.z = similarity.z;
    op.mean = similarity.mean;
    op.deviation = similarity.deviation;
    op.d_deviation = similarity.d_deviation;
    op.d_z = similarity.d_z;
    op.d_similarity_weight = parameters_.gradient(gradients, similarity_kernel_);
  }
  op.average_pooling = classifier_pooling_;
  op.d_pooled = d_pooled;
  op.dropout = dropout();
  op.max_pool = config_.max_pool;
  op.d_output = d_output;
  op.g = g;
  if (config_.batch_norm) {
    op.y = forward.y;
    op.mean_y = forward.mean;
    op.variance_y = forward.variance;
    op.d_scale = parameters_.gradient(gradients, norm_scale_);
    op.d_shift = parameters_.gradient(gradients, norm_shift_);
  }
  backend().hidden_gradient(op);
  return g;
}

// Through batch norm into the encoder. The local method stops here: no gradient at x.
ArenaTensor LocalBlock::encoder_gradient(const Tensor& x, const Forward& forward, const ArenaTensor& g,
                                         const ArenaTensor& gradients, bool want_d_input) {
  ArenaTensor d_x;
  if (want_d_input) d_x = arena().take(x.type, x.shape);
  EncoderGradient op;
  op.convolution = config_.convolution;
  op.x = x;
  op.weight = parameters_.parameter(encoder_weight_);
  op.g = g;
  if (config_.batch_norm) {
    op.y = forward.y;
    op.mean = forward.mean;
    op.variance = forward.variance;
    op.scale = parameters_.parameter(norm_scale_);
    op.d_scale = parameters_.gradient(gradients, norm_scale_);
    op.d_shift = parameters_.gradient(gradients, norm_shift_);
  }
  op.d_weight = parameters_.gradient(gradients, encoder_weight_);
  if (config_.bias) op.d_bias = parameters_.gradient(gradients, encoder_bias_);
  op.d_x = d_x;
  backend().encoder_gradient(op);
  return d_x;
}

// ---- steps ----------------------------------------------------------------------------------------

// Forward, local losses and the gradients of all parameters.
ArenaTensor LocalBlock::local_gradients(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                                        Forward& forward, Inspection* inspection) {
  require(config_.loss != LocalLoss::none, "the block has no local loss; use forward and backward");
  check_input(x);
  check_labels(x, labels, config_.classes);
  check_shortcut(x, shortcut);
  forward = forward_pass(x, shortcut, Mode::training);
  ArenaTensor gradients = parameters_.take_gradients();
  ArenaTensor g;
  {
    ArenaTensor d_pooled;
    if (learns_prediction()) d_pooled = prediction_loss(forward, labels, gradients, inspection);
    SimilarityBranch similarity;
    if (learns_similarity()) similarity = similarity_loss(forward.h, labels, inspection);
    g = hidden_gradient(forward, similarity, d_pooled, {}, gradients);
  }
  if (inspection != nullptr && shortcut) (*inspection)["grad.shortcut"] = download<float>(backend(), g);
  encoder_gradient(x, forward, g, gradients, false);
  count_samples(x.shape.n);
  return gradients;
}

ArenaTensor LocalBlock::train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  Forward forward;
  parameters_.update(local_gradients(x, labels, shortcut, forward, nullptr));
  return std::move(forward.output());
}

Inspection LocalBlock::inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  Forward forward;
  Inspection inspection;
  const ArenaTensor gradients = local_gradients(x, labels, shortcut, forward, &inspection);
  inspection["h"] = download<float>(backend(), forward.h);
  inspect_gradients(gradients, inspection);
  return inspection;
}

ArenaTensor LocalBlock::evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) {
  check_input(x);
  check_shortcut(x, shortcut);
  Forward forward = forward_pass(x, shortcut, Mode::evaluation);
  if (labels.values) {
    check_labels(x, labels, config_.classes);
    if (learns_prediction()) backend().classifier_loss(local_classifier(forward, labels));
    count_samples(x.shape.n);
  }
  return std::move(forward.output());
}

// ---- backpropagation ------------------------------------------------------------------------------

Activation LocalBlock::forward(const Activation& x) {
  require(config_.loss == LocalLoss::none, "the block has a local loss; use train_step");
  check_input(*x);
  kept_input_ = x;
  kept_forward_ = std::make_shared<Forward>(forward_pass(*x, {}, Mode::training));
  return Activation(kept_forward_, &kept_forward_->output());  // shares the ownership of all that was kept
}

ArenaTensor LocalBlock::backward(const Tensor& d_output, bool want_d_input) {
  if (!kept_forward_) fail(ErrorKind::invalid_state, "backward without a forward before it");
  const Activation x = std::move(kept_input_);
  const std::shared_ptr<Forward> forward = std::move(kept_forward_);
  require(d_output.shape == output_shape(x->view().shape.n), "the gradient is ", d_output.shape.to_string(),
          ", but the block's output is ", output_shape(x->view().shape.n).to_string());
  const ArenaTensor gradients = parameters_.take_gradients();
  const ArenaTensor g = hidden_gradient(*forward, {}, {}, d_output, gradients);
  ArenaTensor d_input = encoder_gradient(*x, *forward, g, gradients, want_d_input);
  parameters_.update(gradients);
  count_samples(x->view().shape.n);
  return d_input;
}

}  // namespace layerwise
