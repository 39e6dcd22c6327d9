// A residual network's block with its nonlinearity in front.
#pragma once

#include <memory>
#include <optional>

#include "block/batch_norm.h"
#include "block/encoder.h"
#include "block/loss_block.h"

namespace layerwise {

struct PreactivationBlockConfig : EncoderBlockConfig {
  bool normalize_input = true;  // false: the network's first block, which is a plain convolution
  double input_dropout = 0;     // of elements, before everything; that of channels comes before the convolution
};

/// What the forward pass of a PreactivationBlock leaves.
struct PreactivationForward : HiddenActivation {
  ArenaTensor dropped_input;         // x after element dropout; absent where that is x itself
  BatchStatistics input_statistics;  // of it
  ArenaTensor a, dropped_a;          // activated input; after channel dropout, absent where the same
  ArenaTensor s;                     // the output
  BatchStatistics statistics;        // of s

  const Tensor& convolved(const Tensor& x) const { return dropped_a ? dropped_a : a ? a : normalized(x); }
  const Tensor& normalized(const Tensor& x) const {
    return dropped_input ? static_cast<const Tensor&>(dropped_input) : x;
  }
  ArenaTensor& output() { return s; }
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
  Shape output_shape(int64_t samples) const override { return encoder_.output_shape().of_samples(samples); }

  PreactivationBlockConfig config_;
  std::optional<BatchNorm> input_norm_;  // absent in a network's first block
  Encoder encoder_;
  std::optional<BatchNorm> loss_norm_;   // absent without local losses
};

}  // namespace layerwise
