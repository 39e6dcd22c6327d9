// What stands between a residual network's last block and its output layer.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "block/batch_norm.h"
#include "block/block.h"

namespace layerwise {

struct HeadConfig {
  std::string name;
  uint32_t index = 0;
  Shape input;                // of one sample (n = 1)
  bool batch_norm = false;
  bool affine = true;         // false: scale and shift stay 1 and 0
  double norm_momentum = 0.1;
  double negative_slope = 1;  // 1: no nonlinearity
  int64_t average_pool = 1;   // side of the window, 1: none
  bool max_pool = false;      // 2×2, instead
  layerwise_optimizer optimizer{LAYERWISE_OPTIM_ADAM, 0, 0};
};

/// output = pool(act([batch_norm](x))). It has no loss: it learns from what flows back, if anything does.
class Head : public Block {
 public:
  /// Throws Error(invalid_argument) that says what of the config cannot work.
  Head(std::shared_ptr<Context> context, const HeadConfig& config);

  ArenaTensor train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                         ArenaTensor* d_shortcut) override;
  Activation forward(const Activation& x, const Labels& labels, const Tensor& shortcut) override;
  PassedOn backward(const Tensor& d_output, bool want_d_input, bool want_d_shortcut) override;
  ArenaTensor evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;
  Inspection inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;

 private:
  struct Forward {
    ArenaTensor mean, variance;  // of x, in training
    ArenaTensor h;               // after the nonlinearity
    ArenaTensor pooled;          // absent where that is h itself

    ArenaTensor& output() { return pooled ? pooled : h; }
  };

  Forward forward_pass(const Tensor& x, bool training);
  Shape output_shape(int64_t samples) const { return {samples, output_.h, output_.w, output_.c}; }

  HeadConfig config_;
  AveragePooling pooling_;
  Shape output_;  // of one sample
  std::optional<BatchNorm> norm_;

  // Between forward and backward.
  Activation kept_input_;
  std::shared_ptr<Forward> kept_forward_;
};

}  // namespace layerwise
