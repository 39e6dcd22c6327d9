#include "block/local_losses.h"

#include <utility>

#include "block/pooling_rule.h"
#include "context/transfer.h"
#include "core/error.h"

namespace layerwise {

// ---- construction ---------------------------------------------------------------------------------

LocalLosses::LocalLosses(const std::shared_ptr<Context>& context, const LocalLossConfig& config,
                         const LossSurroundings& surroundings, Parameters& parameters)
    : context_(*context), config_(config), surroundings_(surroundings), parameters_(parameters) {
  require(config_.classes >= 2, "a local loss needs at least 2 classes, not ", config_.classes);
  require(config_.dim_in_decoder > 0, "dim_in_decoder must be positive, not ", config_.dim_in_decoder);
  require(config_.beta >= 0 && config_.beta <= 1, "beta must be in [0, 1], not ", config_.beta);
  require(config_.alpha >= 0 && config_.alpha <= 1, "alpha must be in [0, 1], not ", config_.alpha);
  require(!config_.bio || config_.label_smoothing == 0,
          "label smoothing is for targets that are classes; under bio they are binary");
  require(!config_.bio || config_.target_proj_size > 1, "target_proj_size must be at least 2, not ",
          config_.target_proj_size);
  const Shape& hidden = surroundings_.hidden;
  const Shape& input = surroundings_.input;
  pooling_ = local_classifier_pooling(hidden.c, hidden.h, hidden.w, config_.dim_in_decoder);
  similarity_convolution_ = surroundings_.linear ? Convolution{1, 1, 1, 0} : Convolution{3, 3, 1, 1};

  const Shape pooled = pooling_.output_shape(hidden);
  if (config_.bio)
    projection_ = parameters_.add_buffer("proj_y.weight", {config_.target_proj_size, config_.classes},
                                         Shape::matrix(config_.target_proj_size, config_.classes),
                                         Initialization::uniform, config_.classes);
  if (learns_prediction()) {
    const int64_t outputs = config_.bio ? config_.target_proj_size : config_.classes;
    const std::vector<int64_t> dimensions{outputs, pooled.features()};
    const Shape shape{outputs, pooled.h, pooled.w, pooled.c};
    decoder_weight_ = parameters_.add_parameter("decoder_y.weight", dimensions, shape, Initialization::zero, 1,
                                                ParameterGroup::classifier);
    decoder_bias_ =
        parameters_.add_parameter("decoder_y.bias", {outputs}, Shape::vector(outputs),
                                  config_.bio ? Initialization::zero : Initialization::uniform, pooled.features(),
                                  ParameterGroup::classifier);
    if (config_.bio)
      feedback_ = parameters_.add_buffer("decoder_y.weight_fa", dimensions, shape, Initialization::uniform,
                                         pooled.features());
  }
  if (learns_similarity() && !config_.bio) {
    const Convolution& kernel = similarity_convolution_;
    const int64_t c = hidden.c;
    std::vector<int64_t> dimensions{c, c};
    if (!surroundings_.linear) dimensions.insert(dimensions.end(), {kernel.kernel_height, kernel.kernel_width});
    similarity_kernel_ = parameters_.add_parameter(
        surroundings_.linear ? "linear_loss.weight" : "conv_loss.weight", std::move(dimensions),
        {c, kernel.kernel_height, kernel.kernel_width, c}, Initialization::uniform,
        c * kernel.kernel_height * kernel.kernel_width);
  }
  if (reconstructs()) {
    const Convolution& kernel = surroundings_.encoder;
    require(kernel.stride == 1 && (surroundings_.linear || (hidden.h == input.h && hidden.w == input.w)),
            "the reconstruction loss needs a block that keeps the size of its maps");
    require(!surroundings_.linear || input.positions() == 1,
            "the reconstruction loss of a linear block needs a linear block before it");
    const int64_t taps = kernel.kernel_height * kernel.kernel_width;
    if (surroundings_.linear)
      reconstruction_weight_ = parameters_.add_parameter("decoder_x.weight", {input.c, hidden.c},
                                                         Shape::matrix(input.c, hidden.c), Initialization::uniform,
                                                         hidden.c);
    else
      reconstruction_weight_ = parameters_.add_parameter(
          "decoder_x.weight", {hidden.c, input.c, kernel.kernel_height, kernel.kernel_width},
          {hidden.c, kernel.kernel_height, kernel.kernel_width, input.c}, Initialization::uniform, input.c * taps);
    // PyTorch takes a transposed convolution's fan-in from the second dimension of its weight.
    reconstruction_bias_ =
        parameters_.add_parameter("decoder_x.bias", {input.c}, Shape::vector(input.c), Initialization::uniform,
                                  surroundings_.linear ? hidden.c : input.c * taps);
  }
}

ArenaTensor LocalLosses::take_pooled(const Tensor& h) const {
  if (pooling_.is_identity() || !(learns_prediction() || config_.bio)) return {};
  return arena().take(h.type, pooling_.output_shape(h.shape));
}

// ---- losses ---------------------------------------------------------------------------------------

// alpha · unsupervised + (1 − alpha) · supervised
LocalLosses::Branches LocalLosses::compute(const Tensor& h, const Tensor& pooled, const Tensor& x,
                                           const Labels& labels, const ArenaTensor& gradients, Metrics* metrics,
                                           Inspection* inspection) const {
  Branches branches;
  if (learns_prediction()) branches.d_pooled = prediction_loss(pooled, labels, gradients, metrics, inspection);
  if (learns_similarity()) {
    if (config_.bio)
      pooled_similarity_loss(pooled, x, labels, metrics, inspection, branches);
    else
      similarity_loss(h, x, labels, metrics, inspection, branches);
  }
  if (reconstructs()) branches.d_h = reconstruction_loss(h, x, gradients, metrics);
  return branches;
}

// logits = W_d · pooled + b_d, on the labels or, under bio, on their binary codes.
ClassifierLoss LocalLosses::classifier(const Tensor& pooled, const Labels& labels, Metrics* metrics) const {
  ClassifierLoss classify;
  classify.x = pooled;
  classify.weight = parameters_.weight(decoder_weight_);
  classify.bias = parameters_.parameter(decoder_bias_);
  classify.labels = labels.numbers();
  classify.targets = labels.shares();
  if (config_.bio) {
    classify.projection = parameters_.buffer(projection_);
    classify.feedback = parameters_.buffer_weight(feedback_);
  }
  classify.metrics = metrics;
  return classify;
}

// pred: returns the gradient at the pooled activation.
ArenaTensor LocalLosses::prediction_loss(const Tensor& pooled, const Labels& labels, const ArenaTensor& gradients,
                                         Metrics* metrics, Inspection* inspection) const {
  ArenaTensor d_pooled = arena().take(pooled.type, pooled.shape);
  ClassifierLoss classify = classifier(pooled, labels, metrics);
  ArenaTensor logits;
  if (inspection != nullptr)
    logits = arena().take(backend().parameter_type(), Shape::matrix(pooled.shape.n, classify.weight.shape.n));
  classify.label_smoothing = config_.label_smoothing;
  classify.gradient_scale = supervised_scale() * prediction_weight() * data_parallel().share(pooled.shape.n);
  classify.d_weight = parameters_.gradient(gradients, decoder_weight_);
  classify.d_bias = parameters_.gradient(gradients, decoder_bias_);
  classify.d_x = d_pooled;
  classify.logits = logits;
  backend().classifier_loss(classify);
  if (inspection != nullptr) (*inspection)["local_logits"] = download<float>(backend(), logits);
  return d_pooled;
}

// sim: z = V ∗ h; the features are the standard deviations of z over positions, or z flattened.
void LocalLosses::similarity_loss(const Tensor& h, const Tensor& x, const Labels& labels, Metrics* metrics,
                                  Inspection* inspection, Branches& branches) const {
  const DataType statistic = backend().parameter_type();
  branches.z = arena().take(h.type, h.shape);
  ConvolutionForward convolve;
  convolve.convolution = similarity_convolution_;
  convolve.x = h;
  convolve.weight = parameters_.weight(similarity_kernel_);
  convolve.y = branches.z;
  const bool deviations = !surroundings_.linear && uses_deviations(h.shape);
  if (deviations) {
    const Shape per_channel = Shape::matrix(h.shape.n, h.shape.c);
    branches.mean = arena().take(statistic, per_channel);
    branches.deviation = arena().take(statistic, per_channel);
    branches.d_deviation = arena().take(statistic, per_channel);
    convolve.moments = ConvolutionForward::Moments::sample_channel;
    convolve.mean = branches.mean;
    convolve.spread = branches.deviation;
  } else {
    branches.d_z = arena().take(h.type, h.shape);
  }
  backend().convolution_forward(convolve);
  match(deviations ? branches.deviation : branches.z, deviations ? branches.d_deviation : branches.d_z, x, labels,
        metrics, inspection);
}

// sim under bio: no convolution; the features are those of the pooled activation itself.
void LocalLosses::pooled_similarity_loss(const Tensor& pooled, const Tensor& x, const Labels& labels,
                                         Metrics* metrics, Inspection* inspection, Branches& branches) const {
  ArenaTensor d_pooled = arena().take(pooled.type, pooled.shape);
  if (uses_deviations(pooled.shape)) {
    const DataType statistic = backend().parameter_type();
    const Shape per_channel = Shape::matrix(pooled.shape.n, pooled.shape.c);
    const ArenaTensor mean = arena().take(statistic, per_channel);
    const ArenaTensor deviation = arena().take(statistic, per_channel);
    const ArenaTensor d_deviation = arena().take(statistic, per_channel);
    backend().moments_of_tensor({ConvolutionForward::Moments::sample_channel, pooled, mean, deviation});
    match(deviation, d_deviation, x, labels, metrics, inspection);
    backend().deviation_gradient({pooled, mean, deviation, d_deviation, d_pooled});
  } else {
    match(pooled, d_pooled, x, labels, metrics, inspection);
  }
  if (branches.d_pooled)
    backend().add_tensor({d_pooled, branches.d_pooled});
  else
    branches.d_pooled = std::move(d_pooled);
}

// Similarity matching of features against labels, codes of labels, and features of the block's input: every process
// compares its own samples with all of them.
void LocalLosses::match(const Tensor& features, const Tensor& d_features, const Tensor& x, const Labels& labels,
                        Metrics* metrics, Inspection* inspection) const {
  const DataType statistic = backend().parameter_type();
  const GatheredRows all_features = data_parallel().gather(features);
  const int64_t samples = all_features.all.shape.n, own = features.shape.n;
  const double share = data_parallel().statistics_share(own);
  SimilarityLoss op;
  op.x = all_features.all;
  if (own < samples) {
    op.first_row = data_parallel().first_statistics_sample();
    op.rows = own;
  }
  op.d_x = d_features;
  op.metrics = metrics;
  ArenaTensor similarity, target;
  GatheredRows all_labels;
  if (learns_labels_by_similarity()) {
    all_labels = data_parallel().gather(labels.values);
    (labels.are_mixed() ? op.targets : op.labels) = all_labels.all;
    op.classes = config_.classes;
    if (config_.bio) op.projection = parameters_.buffer(projection_);
    op.gradient_scale = supervised_scale() * similarity_weight() * share;
    if (inspection != nullptr) {
      similarity = arena().take(statistic, Shape::matrix(own, samples));
      target = arena().take(statistic, Shape::matrix(own, samples));
      op.similarity = similarity;
      op.target = target;
    }
  }
  ArenaTensor mean, deviation;
  GatheredRows all_inputs;
  if (config_.unsupervised == UnsupervisedLoss::sim) {
    Tensor input = x;
    if (uses_deviations(x.shape)) {
      mean = arena().take(statistic, Shape::matrix(x.shape.n, x.shape.c));
      deviation = arena().take(statistic, Shape::matrix(x.shape.n, x.shape.c));
      backend().moments_of_tensor({ConvolutionForward::Moments::sample_channel, x, mean, deviation});
      input = deviation;
    }
    all_inputs = data_parallel().gather(input);
    op.input = all_inputs.all;
    op.input_scale = config_.alpha * share;
  }
  backend().similarity_loss(op);
  if (similarity) {
    (*inspection)["similarity_hidden"] = download<float>(backend(), similarity);
    (*inspection)["similarity_target"] = download<float>(backend(), target);
  }
}

// recon: mean squared error of act(decoder(h)) against the block's input. Returns the gradient at h.
ArenaTensor LocalLosses::reconstruction_loss(const Tensor& h, const Tensor& x, const ArenaTensor& gradients,
                                             Metrics* metrics) const {
  ArenaTensor d_h = arena().take(h.type, h.shape);
  ReconstructionLoss op;
  op.convolution = surroundings_.encoder;
  op.transposed = !surroundings_.linear;
  op.negative_slope = surroundings_.negative_slope;
  op.h = h;
  op.x = x;
  op.weight = parameters_.weight(reconstruction_weight_);
  op.bias = parameters_.parameter(reconstruction_bias_);
  op.gradient_scale = config_.alpha * data_parallel().share(h.shape.n);
  op.d_weight = parameters_.gradient(gradients, reconstruction_weight_);
  op.d_bias = parameters_.gradient(gradients, reconstruction_bias_);
  op.d_h = d_h;
  op.metrics = metrics;
  backend().reconstruction_loss(op);
  return d_h;
}

void LocalLosses::connect(const Branches& branches, const ArenaTensor& gradients, HiddenGradient& op) const {
  if (branches.z) {
    op.similarity_convolution = similarity_convolution_;
    op.similarity_weight = parameters_.weight(similarity_kernel_);
    op.z = branches.z;
    op.mean = branches.mean;
    op.deviation = branches.deviation;
    op.d_deviation = branches.d_deviation;
    op.d_z = branches.d_z;
    op.d_similarity_weight = parameters_.gradient(gradients, similarity_kernel_);
  }
  op.average_pooling = pooling_;
  op.d_pooled = branches.d_pooled;
  op.d_h = branches.d_h;
}

void LocalLosses::evaluate(const Tensor& pooled, const Labels& labels, Metrics* metrics) const {
  if (learns_prediction()) backend().classifier_loss(classifier(pooled, labels, metrics));
}

void LocalLosses::check_labels(const Labels& labels) const {
  require(!config_.bio || !labels.are_mixed(), "labels of mixed images are shares of classes; under bio targets are codes of one");
}

void LocalLosses::require_label_classifier() const {
  require(learns_prediction(), "the block's similarity loss trains no local classifier");
  require(!config_.bio, "the block's local classifier knows projected binary targets, not classes");
}

void LocalLosses::logits(const Tensor& pooled, const Labels& labels, Metrics* metrics, const Tensor& logits) const {
  ClassifierLoss classify = classifier(pooled, labels, labels.values ? metrics : nullptr);
  classify.logits = logits;
  backend().classifier_loss(classify);
}

}  // namespace layerwise
