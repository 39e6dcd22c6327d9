#include "block/batch_norm.h"

namespace layerwise {

BatchNorm::BatchNorm(Context& context, Parameters& parameters, const std::string& prefix, int64_t channels,
                     bool affine, double momentum)
    : context_(context), parameters_(parameters), channels_(channels), affine_(affine), momentum_(momentum) {
  const Shape shape = Shape::vector(channels);
  const auto add = [&](const char* name, Initialization initialization, bool trained) {
    return trained ? parameters_.add_parameter(prefix + name, {channels}, shape, initialization, 1,
                                               ParameterGroup::batch_norm)
                   : parameters_.add_buffer(prefix + name, {channels}, shape, initialization);
  };
  scale_ = add("weight", Initialization::one, affine);
  shift_ = add("bias", Initialization::zero, affine);
  running_mean_ = add("running_mean", Initialization::zero, false);
  running_variance_ = add("running_var", Initialization::one, false);
}

BatchStatistics BatchNorm::take_statistics() const {
  Backend& backend = context_.backend();
  const auto take = [&] { return backend.arena().take(backend.parameter_type(), Shape::vector(channels_)); };
  BatchStatistics statistics;
  statistics.mean = take();
  statistics.variance = take();
  if (!affine_) {
    statistics.d_scale = take();
    statistics.d_shift = take();
  }
  return statistics;
}

BatchStatistics BatchNorm::statistics_of(const Tensor& y) const {
  BatchStatistics statistics = take_statistics();
  context_.backend().moments_of_tensor(
      {ConvolutionForward::Moments::channel, y, statistics.mean, statistics.variance});
  merge(statistics, y);
  return statistics;
}

BatchStatistics BatchNorm::statistics_of(ConvolutionForward& op) const {
  BatchStatistics statistics = take_statistics();
  op.moments = ConvolutionForward::Moments::channel;
  op.mean = statistics.mean;
  op.spread = statistics.variance;
  return statistics;
}

void BatchNorm::merge(const BatchStatistics& statistics, const Tensor& y) const {
  context_.data_parallel().merge_moments(statistics.mean, statistics.variance, y.shape.n, y.shape.positions());
}

Tensor BatchNorm::trained_or_kept(size_t number) const {
  return affine_ ? parameters_.parameter(number) : parameters_.buffer(number);
}

void BatchNorm::connect(const BatchStatistics& statistics, NormalizeActivate& op) const {
  op.mean = parameters_.buffer(running_mean_);
  op.variance = parameters_.buffer(running_variance_);
  op.scale = trained_or_kept(scale_);
  op.shift = trained_or_kept(shift_);
  if (!statistics.mean) return;
  op.running_mean = op.mean;
  op.running_variance = op.variance;
  op.momentum = momentum_;
  op.statistics_samples = context_.data_parallel().statistics_samples(op.y.shape.n);
  op.mean = statistics.mean;
  op.variance = statistics.variance;
}

void BatchNorm::agree_on_running(const BatchStatistics& statistics, const Tensor& y) const {
  if (!statistics.mean) return;
  context_.data_parallel().average_running_moments(parameters_.buffer(running_mean_),
                                                   parameters_.buffer(running_variance_), y.shape.n);
}

Tensor BatchNorm::d_scale(const BatchStatistics& statistics, const ArenaTensor& gradients) const {
  return affine_ ? parameters_.gradient(gradients, scale_) : statistics.d_scale.view();
}

Tensor BatchNorm::d_shift(const BatchStatistics& statistics, const ArenaTensor& gradients) const {
  return affine_ ? parameters_.gradient(gradients, shift_) : statistics.d_shift.view();
}

void BatchNorm::connect_gradient(const Tensor& y, const BatchStatistics& statistics, const ArenaTensor& gradients,
                                 HiddenGradient& op) const {
  op.y = y;
  op.mean_y = statistics.mean;
  op.variance_y = statistics.variance;
  op.d_scale = d_scale(statistics, gradients);
  op.d_shift = d_shift(statistics, gradients);
}

void BatchNorm::connect_gradient(const Tensor& y, const BatchStatistics& statistics, const ArenaTensor& gradients,
                                 EncoderGradient& op) const {
  op.y = y;
  op.mean = statistics.mean;
  op.variance = statistics.variance;
  op.scale = trained_or_kept(scale_);
  op.d_scale = d_scale(statistics, gradients);
  op.d_shift = d_shift(statistics, gradients);
}

void BatchNorm::sum_gradients(const Tensor& y, const BatchStatistics& statistics, const ArenaTensor& gradients) const {
  context_.data_parallel().sum_shares({d_scale(statistics, gradients), d_shift(statistics, gradients)}, y.shape.n);
}

void BatchNorm::backward(const Tensor& y, const BatchStatistics& statistics, const ArenaTensor& gradients,
                         const Tensor& g, const Tensor& addend) const {
  sum_gradients(y, statistics, gradients);
  context_.backend().batch_norm_gradient({g, y, statistics.mean, statistics.variance, trained_or_kept(scale_),
                                          d_scale(statistics, gradients), d_shift(statistics, gradients), addend, g});
}

}  // namespace layerwise
