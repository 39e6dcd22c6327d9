#include "block/encoder.h"

#include <utility>
#include <vector>

#include "core/error.h"

namespace layerwise {

Encoder::Encoder(Parameters& parameters, const std::string& prefix, const EncoderBlockConfig& config, bool linear)
    : parameters_(parameters), convolution_(config.convolution), has_bias_(config.bias) {
  const auto& [kernel_height, kernel_width, stride, padding] = convolution_;
  const Shape& input = config.input;
  const int64_t in = input.c, out = config.out_channels;
  require(out > 0, "the number of output channels must be positive, not ", out);
  require(kernel_height > 0 && stride > 0 && padding >= 0,
          "kernel and stride must be positive and padding not negative");
  require(input.h + 2 * padding >= kernel_height && input.w + 2 * padding >= kernel_width, "a ", kernel_height, "×",
          kernel_width, " convolution does not fit a ", input.h, "×", input.w, " map with padding ", padding);
  require(config.dropout >= 0 && config.dropout < 1, "dropout must be in [0, 1), not ", config.dropout);
  output_ = convolution_.output_shape(input, out);

  const int64_t fan_in = in * kernel_height * kernel_width;
  std::vector<int64_t> dimensions{out, fan_in};
  if (!linear) dimensions = {out, in, kernel_height, kernel_width};
  weight_ = parameters_.add_parameter(prefix + "weight", std::move(dimensions), {out, kernel_height, kernel_width, in},
                                      Initialization::uniform, fan_in);
  if (has_bias_)
    bias_ = parameters_.add_parameter(prefix + "bias", {out}, Shape::vector(out), Initialization::uniform, fan_in);
}

ConvolutionForward Encoder::forward(const Tensor& x, const Tensor& y) const {
  ConvolutionForward op;
  op.convolution = convolution_;
  op.x = x;
  op.weight = parameters_.weight(weight_);
  if (has_bias_) op.bias = parameters_.parameter(bias_);
  op.y = y;
  return op;
}

EncoderGradient Encoder::gradient(const Tensor& x, const Tensor& g, const ArenaTensor& gradients) const {
  EncoderGradient op;
  op.convolution = convolution_;
  op.x = x;
  op.weight = parameters_.weight(weight_);
  op.g = g;
  op.d_weight = parameters_.gradient(gradients, weight_);
  if (has_bias_) op.d_bias = parameters_.gradient(gradients, bias_);
  return op;
}

}  // namespace layerwise
