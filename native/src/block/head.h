// What comes between a residual network's last block and its output layer.
#pragma once

#include <memory>
#include <optional>

#include "block/batch_norm.h"
#include "block/loss_block.h"

namespace layerwise {

struct HeadConfig : BlockConfig {
  bool batch_norm = false;
  bool affine = true;         // false: scale and shift stay 1 and 0
  double norm_momentum = 0.1;
  double negative_slope = 1;  // 1: no nonlinearity
  int64_t average_pool = 1;   // side of the window, 1: none
  bool max_pool = false;      // 2×2, instead
};

/// What the forward pass of a Head leaves.
struct HeadForward : HiddenActivation {
  BatchStatistics statistics;  // of x

  ArenaTensor& output() { return pooled ? pooled : h; }
};

/// output = pool(act([batch_norm](x))). It has no loss: it learns from what flows back, if anything does.
class Head : public LossBlock<HeadForward> {
 public:
  /// Throws Error(invalid_argument) that says what of the config cannot work.
  Head(std::shared_ptr<Context> context, const HeadConfig& config);

 private:
  HeadForward forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) override;
  PassedOn end_step(const Tensor& x, Step& step, const Tensor& d_output, bool want_d_input,
                    bool want_d_shortcut) override;
  Shape output_shape(int64_t samples) const override { return output_.of_samples(samples); }

  HeadConfig config_;
  AveragePooling pooling_;
  Shape output_;  // of one sample
  std::optional<BatchNorm> norm_;
};

}  // namespace layerwise
