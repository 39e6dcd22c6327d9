// A residual network's block with its nonlinearity in front.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "block/batch_norm.h"
#include "block/loss_block.h"

namespace layerwise {

struct PreactivationBlockConfig {
  std::string name;
  uint32_t index = 0;
  Shape input;  // of one sample (n = 1)
  int64_t out_channels = 0;
  Convolution convolution;
  bool bias = true;
  bool normalize_input = true;  // false: the network's first block, which is a plain convolution
  double negative_slope = 0;
  double input_dropout = 0;     // of elements, before everything
  double dropout = 0;           // of channels, in front of the convolution
  LocalLossConfig loss;
  layerwise_optimizer optimizer{LAYERWISE_OPTIM_ADAM, 0, 0};
};

/// What the forward pass of a PreactivationBlock leaves.
struct PreactivationForward {
  ArenaTensor dropped_input;                  // x after element dropout; absent where that is x itself
  ArenaTensor input_mean, input_variance;     // of it
  ArenaTensor a, dropped_a;                   // activated input; after channel dropout, absent where the same
  ArenaTensor s, mean, variance;              // the output and its statistics
  ArenaTensor h, pooled;                      // what the losses see

  const Tensor& convolved(const Tensor& x) const { return dropped_a ? dropped_a : a ? a : normalized(x); }
  const Tensor& normalized(const Tensor& x) const {
    return dropped_input ? static_cast<const Tensor&>(dropped_input) : x;
  }
  ArenaTensor& output() { return s; }
  const Tensor& pooled_or_h() const { return pooled ? pooled : h; }
};

/// a = dropout(act(batch_norm(x)));  s = W ∗ a + b [+ shortcut] is the output;
/// the local losses see h = act(batch_norm'(s)), with a batch norm of their own that nothing else uses.
class PreactivationBlock : public LossBlock<PreactivationForward> {
 public:
  /// Throws Error(invalid_argument) that says what of the config cannot work.
  PreactivationBlock(std::shared_ptr<Context> context, const PreactivationBlockConfig& config);

 private:
  PreactivationForward forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) override;
  void activate_input(const Tensor& x, Mode mode, PreactivationForward& forward);
  void activate_output(Mode mode, PreactivationForward& forward);
  PassedOn end_step(const Tensor& x, Step& step, const Tensor& d_output, bool want_d_input,
                    bool want_d_shortcut) override;
  void loss_gradient(const Step& step, const Tensor& d_output, const Tensor& g);
  ArenaTensor input_gradient(const Tensor& x, const Step& step, const Tensor& d_a, bool want_d_input);

  Dropout channel_dropout() const { return {config_.dropout, config_.index}; }
  Dropout element_dropout() const;
  Shape shortcut_shape(int64_t samples) const override { return output_shape(samples); }
  Shape output_shape(int64_t samples) const override { return {samples, output_.h, output_.w, output_.c}; }

  PreactivationBlockConfig config_;
  Shape output_;                         // of one sample
  std::optional<BatchNorm> input_norm_;  // absent in a network's first block
  std::optional<BatchNorm> loss_norm_;   // absent without local losses
  size_t encoder_weight_ = 0, encoder_bias_ = 0;
};

}  // namespace layerwise
