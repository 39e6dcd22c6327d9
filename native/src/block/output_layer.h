// The last layer: a linear classifier over the flattened input.
#pragma once

#include <memory>
#include <string>

#include "block/block.h"

namespace layerwise {

struct OutputLayerConfig {
  std::string name;
  uint32_t index = 0;
  Shape input;  // of one sample (n = 1)
  int64_t classes = 0;
  double loss_scale = 1;   // factor of the cross-entropy: 1 − beta under predsim
  bool zero_start = true;  // weights start at zero, as under local losses
  layerwise_optimizer optimizer{LAYERWISE_OPTIM_ADAM, 0, 0};
};

/// logits = W · x + b, trained on the global cross-entropy.
class OutputLayer : public Block {
 public:
  OutputLayer(std::shared_ptr<Context> context, const OutputLayerConfig& config);

  /// The outputs are the logits, (N, classes) in the parameters' type.
  ArenaTensor train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                         ArenaTensor* d_shortcut) override;
  ArenaTensor evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;
  Inspection inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;

  /// The step under backpropagation: returns the gradient at the input.
  ArenaTensor backpropagate(const Tensor& x, const Labels& labels);

 private:
  /// Loss and gradients of the parameters; fills d_x and logits where they are not absent.
  void gradients_of_loss(const Tensor& x, const Labels& labels, const ArenaTensor& gradients, const Tensor& d_x,
                         const Tensor& logits);
  ArenaTensor take_logits(const Tensor& x) const;

  OutputLayerConfig config_;
  size_t weight_ = 0, bias_ = 0;
};

}  // namespace layerwise
