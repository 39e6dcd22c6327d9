#include "block/batch_norm.h"

namespace layerwise {

BatchNorm::BatchNorm(Parameters& parameters, const std::string& prefix, int64_t channels, bool affine,
                     double momentum)
    : parameters_(parameters), channels_(channels), affine_(affine), momentum_(momentum) {
  const Shape shape = Shape::vector(channels);
  const auto add = [&](const char* name, Initialization initialization, bool trained) {
    return trained ? parameters_.add_parameter(prefix + name, {channels}, shape, initialization, 1)
                   : parameters_.add_buffer(prefix + name, {channels}, shape, initialization);
  };
  scale_ = add("weight", Initialization::one, affine);
  shift_ = add("bias", Initialization::zero, affine);
  running_mean_ = add("running_mean", Initialization::zero, false);
  running_variance_ = add("running_var", Initialization::one, false);
}

void BatchNorm::connect_training(const Tensor& mean, const Tensor& variance, NormalizeActivate& op) const {
  connect_evaluation(op);
  op.running_mean = op.mean;
  op.running_variance = op.variance;
  op.momentum = momentum_;
  op.mean = mean;
  op.variance = variance;
}

void BatchNorm::connect_evaluation(NormalizeActivate& op) const {
  op.mean = parameters_.buffer(running_mean_);
  op.variance = parameters_.buffer(running_variance_);
  op.scale = scale();
  op.shift = affine_ ? parameters_.parameter(shift_) : parameters_.buffer(shift_);
}

BatchNorm::Gradients BatchNorm::gradients(const ArenaTensor& of_parameters, Arena& arena) const {
  Gradients gradients;
  if (affine_) {
    gradients.d_scale = parameters_.gradient(of_parameters, scale_);
    gradients.d_shift = parameters_.gradient(of_parameters, shift_);
  } else {
    gradients.temporary_scale = arena.take(scale().type, Shape::vector(channels_));
    gradients.temporary_shift = arena.take(scale().type, Shape::vector(channels_));
    gradients.d_scale = gradients.temporary_scale;
    gradients.d_shift = gradients.temporary_shift;
  }
  return gradients;
}

}  // namespace layerwise
