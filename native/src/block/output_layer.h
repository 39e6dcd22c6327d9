// The last layer: a linear classifier over the flattened input.
#pragma once

#include <memory>

#include "block/block.h"

namespace layerwise {

struct OutputLayerConfig : BlockConfig {
  int64_t classes = 0;
  double label_smoothing = 0;  // of the targets in training
  double loss_scale = 1;   // factor of the cross-entropy: 1 − beta under predsim
  bool zero_start = true;  // weights start at zero, as under local losses
};

/// logits = W · x + b, trained on the global cross-entropy. The outputs are the logits, (N, classes) in the parameters'
/// type.
class OutputLayer : public Block {
 public:
  OutputLayer(std::shared_ptr<Context> context, const OutputLayerConfig& config);

  ArenaTensor train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                         ArenaTensor* d_shortcut) override;
  /// The network ends here, so backward takes no gradient at the output.
  Activation forward(const Activation& x, const Labels& labels, const Tensor& shortcut) override;
  PassedOn backward(const Tensor& d_output, bool want_d_input, bool want_d_shortcut) override;
  ArenaTensor evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;
  /// There are none.
  ArenaTensor estimate_statistics(const Tensor& x, const Tensor& shortcut) override { return evaluate(x, {}, shortcut); }
  Inspection inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;

 private:
  /// What the loss leaves.
  struct Step {
    ArenaTensor d_x;  // absent in a local step
    ArenaTensor logits;
    ArenaTensor gradients;  // of all parameters
  };

  /// Forward pass, loss and all gradients.
  Step take_step(const Tensor& x, const Labels& labels, const Tensor& shortcut, bool want_d_x);
  ClassifierLoss classifier(const Tensor& x, const Tensor& logits) const;
  void connect_loss(const Labels& labels, ClassifierLoss& op) const;
  ArenaTensor take_logits(const Tensor& x) const;

  OutputLayerConfig config_;
  size_t weight_ = 0, bias_ = 0;
  std::shared_ptr<Step> kept_step_;  // between forward and backward
};

}  // namespace layerwise
