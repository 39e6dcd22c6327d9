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
  const Shape map{options.x.n, convolution.out_height(options.x.h), convolution.out_width(options.x.w),
                  options.out_channels};
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

  if (options.similarity != Similarity::none) {
    const Convolution& similarity = options.similarity_convolution;
    similarity_weight_ = variable("similarity_weight",
                                  {map.c, similarity.kernel_height, similarity.kernel_width, map.c}, -0.5, 0.5);
    z_ = zeros(map);
    if (options.similarity == Similarity::deviation) {
      z_mean_ = zeros(Shape::matrix(map.n, map.c));
      z_deviation_ = zeros(Shape::matrix(map.n, map.c));
      d_deviation_ = zeros(Shape::matrix(map.n, map.c));
    } else {
      d_z_ = zeros(map);
    }
  }
  if (options.classifier) {
    const Shape pooled{map.n, options.pooling.out_height(map.h), options.pooling.out_width(map.w), map.c};
    pooled_ = zeros(pooled);
    d_pooled_ = zeros(pooled);
    classifier_weight_ = variable("classifier_weight", {options.classes, pooled.h, pooled.w, pooled.c}, -0.5, 0.5);
    classifier_bias_ = variable("classifier_bias", Shape::vector(options.classes), -0.5, 0.5);
  }
  if (options.probe) {
    output_ = zeros(options.max_pool ? Shape{map.n, map.h / 2, map.w / 2, map.c} : map);
    probe_ = random(output_.shape, -1, 1);
  }
  for (int64_t n = 0; n < map.n; ++n) label_values_.push_back(static_cast<int32_t>(n * n % options.classes));
  labels_ = {label_values_.data(), DataType::int32, Shape::vector(map.n)};
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

double BlockChain::similarity_term(double gradient_scale) {
  ConvolutionForward forward;
  forward.convolution = options_.similarity_convolution;
  forward.x = h_;
  forward.weight = similarity_weight_;
  forward.y = z_;
  if (z_deviation_) forward.moments = ConvolutionForward::Moments::sample_channel;
  forward.mean = z_mean_;
  forward.spread = z_deviation_;
  backend_->convolution_forward(forward);

  Metrics metrics;
  SimilarityLoss op;
  op.x = z_deviation_ ? z_deviation_ : z_;
  op.labels = labels_;
  op.classes = options_.classes;
  op.gradient_scale = gradient_scale;
  op.d_x = z_deviation_ ? d_deviation_ : d_z_;
  op.metrics = &metrics;
  backend_->similarity_loss(op);
  return gradient_scale * metrics.similarity_loss / static_cast<double>(h_.shape.n);
}

double BlockChain::classifier_term(double gradient_scale) {
  Metrics metrics;
  ClassifierLoss op;
  op.x = pooled_;
  op.weight = classifier_weight_;
  op.bias = classifier_bias_;
  op.labels = labels_;
  op.gradient_scale = gradient_scale;
  op.d_weight = gradient_of("classifier_weight");
  op.d_bias = gradient_of("classifier_bias");
  op.d_x = d_pooled_;
  op.metrics = &metrics;
  backend_->classifier_loss(op);
  return gradient_scale * metrics.prediction_loss / static_cast<double>(h_.shape.n);
}

double BlockChain::loss() {
  ConvolutionForward forward;
  forward.convolution = options_.convolution;
  forward.x = x_;
  forward.weight = weight_;
  forward.bias = bias_;
  forward.y = y_;
  if (options_.batch_norm) forward.moments = ConvolutionForward::Moments::channel;
  forward.mean = mean_;
  forward.spread = variance_;
  backend_->convolution_forward(forward);

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
  if (options_.similarity != Similarity::none) loss += similarity_term(options_.beta);
  if (options_.classifier) loss += classifier_term(1 - options_.beta);
  if (options_.probe) {
    for (int64_t i = 0; i < output_.shape.elements(); ++i) loss += output_.as<double>()[i] * probe_.as<double>()[i];
  }
  return loss;
}

void BlockChain::backward() {
  loss();
  HiddenGradient hidden;
  hidden.h = h_;
  hidden.negative_slope = options_.negative_slope;
  hidden.similarity_convolution = options_.similarity_convolution;
  hidden.similarity_weight = similarity_weight_;
  hidden.z = z_;
  hidden.mean = z_mean_;
  hidden.deviation = z_deviation_;
  hidden.d_deviation = d_deviation_;
  hidden.d_z = d_z_;
  hidden.d_similarity_weight = gradient_of("similarity_weight");
  hidden.average_pooling = options_.pooling;
  hidden.d_pooled = d_pooled_;
  hidden.dropout = {options_.dropout, 2};
  hidden.max_pool = options_.max_pool;
  hidden.d_output = probe_;
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
  backend_->encoder_gradient(encoder);
}

}  // namespace layerwise::test
