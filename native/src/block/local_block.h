// A hidden layer that learns from its own loss.
#pragma once

#include <memory>
#include <string>

#include "block/block.h"

namespace layerwise {

/// Which local loss trains the block.
enum class LocalLoss { none, pred, sim, predsim };

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
  double negative_slope = 0;  // 0: ReLU, 0.01: LeakyReLU
  double dropout = 0;
  bool max_pool = false;
  LocalLoss loss = LocalLoss::predsim;
  double beta = 0.99;  // predsim: beta · sim + (1 − beta) · pred
  bool similarity_std = true;
  int64_t dim_in_decoder = 4096;
  int64_t classes = 0;
  OptimizerSettings optimizer;
};

/// Nøkland & Eidnes 2019, section 2:
///   h = act(batch_norm(W ∗ x + b) [+ shortcut]);  output = max_pool(dropout(h)), detached;
///   loss(h) = pred, sim or both.
class LocalBlock : public Block {
 public:
  /// Throws Error(invalid_argument) that says what of the config cannot work.
  LocalBlock(std::shared_ptr<Context> context, const LocalBlockConfig& config);

  ArenaTensor train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;
  ArenaTensor evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;
  Inspection inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) override;

  /// Backpropagation: forward keeps its activations until backward, which takes the gradient at the
  /// output, updates the parameters and, where wanted, returns the gradient at the input.
  Activation forward(const Activation& x);
  ArenaTensor backward(const Tensor& d_output, bool want_d_input);

 private:
  enum class Mode { training, evaluation };

  // Everything that the forward pass leaves for the losses and the backward pass.
  struct Forward {
    ArenaTensor y, mean, variance;  // convolution output and its batch statistics
    ArenaTensor h;                  // after the nonlinearity: what the loss sees
    ArenaTensor pooled;             // h average-pooled for the local classifier; absent where that is h itself
    ArenaTensor next;               // after dropout and max-pooling; absent where that is h itself

    ArenaTensor& output() { return next ? next : h; }
    const Tensor& classifier_input() const { return pooled ? pooled : h; }
  };

  // What the similarity branch leaves for the backward pass.
  struct SimilarityBranch {
    ArenaTensor z;                             // V ∗ h
    ArenaTensor mean, deviation, d_deviation;  // of z over positions; absent where maps are flattened
    ArenaTensor d_z;                           // where they are
  };

  Forward forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode);
  ClassifierLoss local_classifier(const Forward& forward, const Labels& labels) const;
  ArenaTensor prediction_loss(const Forward& forward, const Labels& labels, const ArenaTensor& gradients,
                              Inspection* inspection);
  SimilarityBranch similarity_loss(const Tensor& h, const Labels& labels, Inspection* inspection);
  ArenaTensor hidden_gradient(const Forward& forward, const SimilarityBranch& similarity, const Tensor& d_pooled,
                              const Tensor& d_output, const ArenaTensor& gradients);
  ArenaTensor encoder_gradient(const Tensor& x, const Forward& forward, const ArenaTensor& g,
                               const ArenaTensor& gradients, bool want_d_input);
  ArenaTensor local_gradients(const Tensor& x, const Labels& labels, const Tensor& shortcut, Forward& forward,
                              Inspection* inspection);

  void add_parameters();
  bool learns_prediction() const { return config_.loss == LocalLoss::pred || config_.loss == LocalLoss::predsim; }
  bool learns_similarity() const { return config_.loss == LocalLoss::sim || config_.loss == LocalLoss::predsim; }
  bool uses_deviations() const;
  double similarity_weight() const override { return config_.loss == LocalLoss::predsim ? config_.beta : 1; }
  double prediction_weight() const override { return config_.loss == LocalLoss::predsim ? 1 - config_.beta : 1; }
  void check_shortcut(const Tensor& x, const Tensor& shortcut) const;
  Shape hidden_shape(int64_t samples) const;
  Shape output_shape(int64_t samples) const;
  Shape pooled_shape(int64_t samples) const;
  Dropout dropout() const { return {config_.dropout, config_.index}; }

  LocalBlockConfig config_;
  Shape hidden_;                        // of one sample
  AveragePooling classifier_pooling_;   // before the local classifier
  Convolution similarity_convolution_;  // 3×3 same-size for maps, 1×1 for linear blocks

  // Numbers of the tensors in parameters_.
  size_t encoder_weight_ = 0, encoder_bias_ = 0;
  size_t norm_scale_ = 0, norm_shift_ = 0, running_mean_ = 0, running_variance_ = 0;
  size_t decoder_weight_ = 0, decoder_bias_ = 0;
  size_t similarity_kernel_ = 0;

  // Between forward and backward.
  Activation kept_input_;
  std::shared_ptr<Forward> kept_forward_;
};

}  // namespace layerwise
