// A hidden layer that learns from its own loss.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "block/batch_norm.h"
#include "block/encoder.h"
#include "block/loss_block.h"

namespace layerwise {

/// A convolution block or a linear block. A linear layer is the convolution whose kernel covers the
/// whole map: its output is a 1×1 map, on which dropping channels is dropping elements and a 1×1
/// similarity convolution is a linear map. So the algorithm knows only convolutions.
struct LocalBlockConfig : EncoderBlockConfig {
  bool linear = false;  // `convolution` is not read
  bool batch_norm = true;
  bool max_pool = false;
  std::string encoder_name = "encoder.";  // begins the names of the convolution's tensors
  std::string norm_name = "bn.";          // and of the batch norm's
};

/// What the forward pass of a LocalBlock leaves.
struct LocalForward : HiddenActivation {
  ArenaTensor y;               // the convolution's output
  BatchStatistics statistics;  // of y
  ArenaTensor next;            // h after dropout and max-pooling; absent where that is h itself

  ArenaTensor& output() { return next ? next : h; }
};

/// Nøkland & Eidnes 2019, section 2:
///   h = act(batch_norm(W ∗ x + b) [+ shortcut]);  output = max_pool(dropout(h)), detached;
///   the local losses see h.
class LocalBlock : public LossBlock<LocalForward> {
 public:
  /// Throws Error(invalid_argument) that says what of the config cannot work.
  LocalBlock(std::shared_ptr<Context> context, const LocalBlockConfig& config);

 private:
  LocalForward forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) override;
  PassedOn end_step(const Tensor& x, Step& step, const Tensor& d_output, bool want_d_input,
                    bool want_d_shortcut) override;
  ArenaTensor hidden_gradient(Step& step, const Tensor& d_output);
  ArenaTensor encoder_gradient(const Tensor& x, const Step& step, const Tensor& g, const Tensor& d_y,
                               bool want_d_input);

  Shape hidden_shape(int64_t samples) const { return encoder_.output_shape().of_samples(samples); }
  Shape shortcut_shape(int64_t samples) const override { return hidden_shape(samples); }
  Shape output_shape(int64_t samples) const override;
  Dropout dropout() const { return {config_.dropout, config_.index}; }

  LocalBlockConfig config_;
  Encoder encoder_;
  std::optional<BatchNorm> norm_;
};

}  // namespace layerwise
