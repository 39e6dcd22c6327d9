#include "gradient_chain.h"

#include "backend/reference/reference_backend.h"

namespace layerwise::test {

using Similarity = BlockChainOptions::Similarity;

BlockChain::BlockChain(const BlockChainOptions& options) : options_(options), backend_(make_reference_backend()) {
  StepState state;
  state.seed = 5;
  state.step = 11;
  backend_->set_step_state(state);

  const Convolution& convolution = options.convolution;
  const Shape map = convolution.output_shape(options.x, options.out_channels);
  const Shape channels = Shape::vector(map.c);
  x_ = variable("x", options.x, -1, 1);
  weight_ = variable("weight", {map.c, convolution.kernel_height, convolution.kernel_width, options.x.c}, -0.5, 0.5);
  if (options.bias) bias_ = variable("bias", channels, -0.5, 0.5);
  y_ = zeros(map);
  h_ = zeros(map);
  g_ = zeros(map);
  if (options.batch_norm) {
    scale_ = variable("scale", channels, 0.5, 1.5);
    shift_ = variable("shift", channels, -0.5, 0.5);
    mean_ = zeros(channels);
    variance_ = zeros(channels);
  }
  if (options.shortcut) shortcut_ = variable("shortcut", map, -1, 1);

  if (options.residual) {
    residual_ = variable("residual", map, -1, 1);
    d_y_ = options.d_y_in_place ? g_ : gradient_of("residual");
  }
  const bool pooled = options.classifier || features_from_pooled();
  if (pooled) {
    pooled_ = zeros(options.pooling.output_shape(map));
    d_pooled_ = zeros(pooled_.shape);
  }
  if (options.similarity != Similarity::none) add_similarity_variables(map);
  if (options.classifier) add_classifier_variables(map);
  if (options.reconstruction) add_reconstruction_variables(map);
  if (options.input_target || options.reconstruction) input_ = random(options.x, -1, 1);
  if (options.code_size > 0) projection_ = random(Shape::matrix(options.code_size, options.classes), -0.5, 0.5);
  if (options.probe) {
    output_ = zeros(options.max_pool ? Shape{map.n, map.h / 2, map.w / 2, map.c} : map);
    probe_ = random(output_.shape, -1, 1);
  }
  for (int64_t n = 0; n < map.n; ++n) label_values_.push_back(static_cast<int32_t>(n * n % options.classes));
  labels_ = {label_values_.data(), DataType::int32, Shape::vector(map.n)};
  if (options.mixed) {
    targets_ = zeros(Shape::matrix(map.n, options.classes));
    for (int64_t n = 0; n < map.n; ++n) {
      double* const target = targets_.as<double>() + n * options.classes;
      target[n * n % options.classes] += 0.7;
      target[(n + 1) % options.classes] += 0.3;
    }
  }
}

bool BlockChain::features_from_pooled() const {
  return options_.similarity == Similarity::pooled_deviation || options_.similarity == Similarity::pooled_flat;
}

void BlockChain::add_similarity_variables(const Shape& map) {
  if (!features_from_pooled()) {
    const Convolution& similarity = options_.similarity_convolution;
    similarity_weight_ = variable("similarity_weight",
                                  {map.c, similarity.kernel_height, similarity.kernel_width, map.c}, -0.5, 0.5);
  }
  z_ = features_from_pooled() ? pooled_ : zeros(map);
  if (options_.similarity == Similarity::deviation || options_.similarity == Similarity::pooled_deviation) {
    z_mean_ = zeros(Shape::matrix(map.n, map.c));
    z_deviation_ = zeros(Shape::matrix(map.n, map.c));
    d_deviation_ = zeros(Shape::matrix(map.n, map.c));
  }
  if (features_from_pooled()) d_features_pooled_ = zeros(pooled_.shape);
  if (options_.similarity == Similarity::flat) d_z_ = zeros(map);
}

void BlockChain::add_classifier_variables(const Shape& map) {
  const int64_t outputs = options_.code_size > 0 ? options_.code_size : options_.classes;
  classifier_weight_ = variable("classifier_weight", {outputs, pooled_.shape.h, pooled_.shape.w, map.c}, -0.5, 0.5);
  classifier_bias_ = variable("classifier_bias", Shape::vector(outputs), -0.5, 0.5);
}

void BlockChain::add_reconstruction_variables(const Shape& map) {
  const Convolution& convolution = options_.convolution;
  const int64_t in_channels = options_.x.c;
  const Shape weight = options_.linear_decoder
                           ? Shape::matrix(in_channels, map.c)
                           : Shape{map.c, convolution.kernel_height, convolution.kernel_width, in_channels};
  decoder_weight_ = variable("decoder_weight", weight, -0.5, 0.5);
  decoder_bias_ = variable("decoder_bias", Shape::vector(in_channels), -0.5, 0.5);
  d_h_ = zeros(map);
}

Tensor BlockChain::zeros(const Shape& shape) {
  storage_.emplace_back(static_cast<size_t>(shape.elements()), 0.0);
  return {storage_.back().data(), DataType::float64, shape};
}

Tensor BlockChain::random(const Shape& shape, double low, double high) {
  const Tensor tensor = zeros(shape);
  const RandomKey key{20190118, RandomPurpose::initialisation, 0, 0};
  for (int64_t i = 0; i < shape.elements(); ++i) {
    tensor.as<double>()[i] = low + (high - low) * random_unit(random_word(key, drawn_++));
  }
  return tensor;
}

Tensor BlockChain::variable(const std::string& name, const Shape& shape, double low, double high) {
  const Tensor value = random(shape, low, high);
  variables_.push_back({name, value, zeros(shape)});
  return value;
}

Tensor BlockChain::gradient_of(const std::string& name) const {
  for (const Variable& variable : variables_)
    if (variable.name == name) return variable.gradient;
  return {};
}

void BlockChain::similarity_features() {
  const auto moments =
      z_deviation_ ? ConvolutionForward::Moments::sample_channel : ConvolutionForward::Moments::none;
  if (features_from_pooled()) {
    backend_->moments_of_tensor({moments, pooled_, z_mean_, z_deviation_});
    return;
  }
  ConvolutionForward forward;
  forward.convolution = options_.similarity_convolution;
  forward.x = h_;
  forward.weight = similarity_weight_;
  forward.y = z_;
  forward.moments = moments;
  forward.mean = z_mean_;
  forward.spread = z_deviation_;
  backend_->convolution_forward(forward);
}

double BlockChain::similarity_term() {
  similarity_features();
  Metrics metrics;
  SimilarityLoss op;
  op.x = z_deviation_ ? z_deviation_ : z_;
  if (options_.mixed)
    op.targets = targets_;
  else if (options_.supervised)
    op.labels = labels_;
  op.classes = options_.classes;
  op.projection = projection_;
  op.gradient_scale = options_.beta;
  if (options_.input_target) op.input = input_;
  op.input_scale = options_.alpha;
  if (z_deviation_) op.d_x = d_deviation_;
  else op.d_x = features_from_pooled() ? d_features_pooled_ : d_z_;
  op.metrics = &metrics;
  backend_->similarity_loss(op);
  return (options_.beta * metrics.similarity_loss + options_.alpha * metrics.unsupervised_loss) /
         static_cast<double>(h_.shape.n);
}

double BlockChain::classifier_term() {
  Metrics metrics;
  ClassifierLoss op;
  op.x = pooled_;
  op.weight = classifier_weight_;
  op.bias = classifier_bias_;
  (options_.mixed ? op.targets : op.labels) = options_.mixed ? targets_ : labels_;
  op.projection = projection_;
  op.gradient_scale = 1 - options_.beta;
  op.d_weight = gradient_of("classifier_weight");
  op.d_bias = gradient_of("classifier_bias");
  op.d_x = d_pooled_;
  op.metrics = &metrics;
  backend_->classifier_loss(op);
  return op.gradient_scale * metrics.prediction_loss / static_cast<double>(h_.shape.n);
}

double BlockChain::reconstruction_term() {
  Metrics metrics;
  ReconstructionLoss op;
  op.convolution = options_.convolution;
  op.transposed = !options_.linear_decoder;
  op.negative_slope = options_.negative_slope;
  op.h = h_;
  op.x = input_;
  op.weight = decoder_weight_;
  op.bias = decoder_bias_;
  op.gradient_scale = options_.alpha;
  op.d_weight = gradient_of("decoder_weight");
  op.d_bias = gradient_of("decoder_bias");
  op.d_h = d_h_;
  op.metrics = &metrics;
  backend_->reconstruction_loss(op);
  return op.gradient_scale * metrics.unsupervised_loss / static_cast<double>(h_.shape.n);
}

double BlockChain::loss() {
  ConvolutionForward forward;
  forward.convolution = options_.convolution;
  forward.x = x_;
  forward.weight = weight_;
  forward.bias = bias_;
  forward.y = y_;
  if (options_.batch_norm && !residual_) forward.moments = ConvolutionForward::Moments::channel;
  forward.mean = mean_;
  forward.spread = variance_;
  backend_->convolution_forward(forward);
  if (residual_) {
    backend_->add_tensor({residual_, y_});
    if (options_.batch_norm) {
      backend_->moments_of_tensor({ConvolutionForward::Moments::channel, y_, mean_, variance_});
    }
  }

  NormalizeActivate op;
  op.y = y_;
  op.mean = mean_;
  op.variance = variance_;
  op.scale = scale_;
  op.shift = shift_;
  op.shortcut = shortcut_;
  op.negative_slope = options_.negative_slope;
  op.h = h_;
  op.average_pooling = options_.pooling;
  op.pooled = pooled_;
  op.dropout = {options_.dropout, 2};
  op.max_pool = options_.max_pool;
  op.output = output_;
  backend_->normalize_activate(op);

  double loss = 0;
  if (options_.similarity != Similarity::none) loss += similarity_term();
  if (options_.classifier) loss += classifier_term();
  if (options_.reconstruction) loss += reconstruction_term();
  if (options_.probe) {
    for (int64_t i = 0; i < output_.shape.elements(); ++i) loss += output_.as<double>()[i] * probe_.as<double>()[i];
  }
  return loss;
}

/// d_pooled, from whatever depends on the pooled map.
void BlockChain::pooled_gradient() {
  if (!features_from_pooled()) return;
  if (z_deviation_) {
    backend_->deviation_gradient({pooled_, z_mean_, z_deviation_, d_deviation_, d_features_pooled_});
  }
  backend_->add_tensor({d_features_pooled_, d_pooled_});  // which is 0 without a classifier
}

void BlockChain::backward() {
  loss();
  pooled_gradient();
  HiddenGradient hidden;
  hidden.h = h_;
  hidden.negative_slope = options_.negative_slope;
  hidden.similarity_convolution = options_.similarity_convolution;
  hidden.similarity_weight = similarity_weight_;
  if (similarity_weight_) {
    hidden.z = z_;
    hidden.mean = z_mean_;
    hidden.deviation = z_deviation_;
    hidden.d_deviation = d_deviation_;
    hidden.d_z = d_z_;
  }
  hidden.d_similarity_weight = gradient_of("similarity_weight");
  hidden.average_pooling = options_.pooling;
  hidden.d_pooled = d_pooled_;
  hidden.dropout = {options_.dropout, 2};
  hidden.max_pool = options_.max_pool;
  hidden.d_output = probe_;
  hidden.d_h = d_h_;
  hidden.g = g_;
  if (options_.batch_norm) {
    hidden.y = y_;
    hidden.mean_y = mean_;
    hidden.variance_y = variance_;
    hidden.d_scale = gradient_of("scale");
    hidden.d_shift = gradient_of("shift");
  }
  backend_->hidden_gradient(hidden);
  if (shortcut_) backend_->copy_to_host(gradient_of("shortcut").data, g_.data, g_.bytes());  // enters h as y does
  encoder_gradient();
}

void BlockChain::encoder_gradient() {
  EncoderGradient encoder;
  encoder.convolution = options_.convolution;
  encoder.x = x_;
  encoder.weight = weight_;
  encoder.g = g_;
  if (options_.batch_norm) {
    encoder.y = y_;
    encoder.mean = mean_;
    encoder.variance = variance_;
    encoder.scale = scale_;
    encoder.d_scale = gradient_of("scale");
    encoder.d_shift = gradient_of("shift");
  }
  encoder.d_weight = gradient_of("weight");
  encoder.d_bias = gradient_of("bias");
  encoder.d_x = gradient_of("x");
  encoder.d_y = d_y_;
  backend_->encoder_gradient(encoder);
  if (options_.d_y_in_place) backend_->copy_to_host(gradient_of("residual").data, d_y_.data, d_y_.bytes());
}

}  // namespace layerwise::test
