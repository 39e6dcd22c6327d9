// The convolution of a block.
#pragma once

#include <string>

#include "block/block.h"
#include "block/local_losses.h"

namespace layerwise {

/// What the configs of blocks with a convolution have in common.
struct EncoderBlockConfig : BlockConfig {
  int64_t out_channels = 0;
  Convolution convolution;
  bool bias = true;
  double negative_slope = 0;  // of the activation. 0: ReLU, 0.01: LeakyReLU, 1: none
  double dropout = 0;         // of channels, in [0, 1)
  LocalLossConfig loss;
};

/// W ∗ x + b, whose parameters are among the block's.
class Encoder {
 public:
  /// Adds "PREFIXweight" and, with a bias, "PREFIXbias"; `linear`: under PyTorch's shape for a linear layer. Throws
  /// Error(invalid_argument) that says what of the config cannot work.
  Encoder(Parameters& parameters, const std::string& prefix, const EncoderBlockConfig& config, bool linear = false);

  /// Of one sample's output.
  const Shape& output_shape() const { return output_; }

  /// The operands of y = W ∗ x + b.
  ConvolutionForward forward(const Tensor& x, const Tensor& y) const;
  /// The operands of its gradients, given that at y; the parameters' go to `gradients`.
  EncoderGradient gradient(const Tensor& x, const Tensor& g, const ArenaTensor& gradients) const;

 private:
  Parameters& parameters_;
  Convolution convolution_;
  bool has_bias_;
  Shape output_;
  size_t weight_ = 0, bias_ = 0;
};

}  // namespace layerwise
