// A hidden layer that learns from its own loss.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "block/batch_norm.h"
#include "block/loss_block.h"

namespace layerwise {

/// A convolution block or a linear block. A linear layer is the convolution whose kernel covers the
/// whole map: its output is a 1×1 map, on which dropping channels is dropping elements and a 1×1
/// similarity convolution is a linear map. So the algorithm knows only convolutions.
struct LocalBlockConfig {
  std::string name;
  uint32_t index = 0;
  bool linear = false;
  Shape input;  // of one sample (n = 1)
  int64_t out_channels = 0;
  Convolution convolution;
  bool bias = true;
  bool batch_norm = true;
  double negative_slope = 0;  // 0: ReLU, 0.01: LeakyReLU, 1: none
  double dropout = 0;
  bool max_pool = false;
  LocalLossConfig loss;
  std::string encoder_name = "encoder.";  // begins the names of the convolution's tensors
  std::string norm_name = "bn.";          // and of the batch norm's
  layerwise_optimizer optimizer{LAYERWISE_OPTIM_ADAM, 0, 0};
};

/// What the forward pass of a LocalBlock leaves.
struct LocalForward {
  ArenaTensor y, mean, variance;  // convolution output and its batch statistics
  ArenaTensor h;                  // after the nonlinearity: what the losses see
  ArenaTensor pooled;             // h average-pooled for the local classifier; absent where that is h itself
  ArenaTensor next;               // after dropout and max-pooling; absent where that is h itself

  ArenaTensor& output() { return next ? next : h; }
  const Tensor& pooled_or_h() const { return pooled ? pooled : h; }
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

  void add_parameters();
  Shape hidden_shape(int64_t samples) const;
  Shape shortcut_shape(int64_t samples) const override { return hidden_shape(samples); }
  Shape output_shape(int64_t samples) const override;
  Dropout dropout() const { return {config_.dropout, config_.index}; }

  LocalBlockConfig config_;
  Shape hidden_;  // of one sample
  std::optional<BatchNorm> norm_;

  // Numbers of the tensors in parameters_.
  size_t encoder_weight_ = 0, encoder_bias_ = 0;
};

}  // namespace layerwise
