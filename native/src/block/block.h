// What all blocks have in common: a name, parameters, metrics.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "block/parameters.h"
#include "context/transfer.h"

namespace layerwise {

/// An activation that may be held by several owners: the caller that passes it on, and a block that
/// needs it for its backward pass.
using Activation = std::shared_ptr<const ArenaTensor>;

/// What the configs of all blocks have in common.
struct BlockConfig {
  std::string name;
  uint32_t index = 0;
  Shape input;  // of one sample (n = 1)
  layerwise_optimizer optimizer = default_optimizer;
};

/// Sums over the samples since the last reading; losses are sums of each sample's mean loss of its batch.
struct BlockMetrics {
  double similarity_loss = 0;
  double prediction_loss = 0;
  double unsupervised_loss = 0;
  double errors = 0;
  double samples = 0;
};

/// Host copies of what one step computed, by name.
using Inspection = std::map<std::string, std::vector<float>>;

/// What a backward pass passes on; each is absent where it was not wanted.
struct PassedOn {
  ArenaTensor d_input;
  ArenaTensor d_shortcut;
};

class Block {
 public:
  virtual ~Block() = default;

  /// One local step: forward, own loss, gradients, optimiser. The output is computed with the
  /// parameters before the update. `shortcut` may be absent; the gradient at it goes to `d_shortcut`
  /// unless that is null.
  virtual ArenaTensor train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                                 ArenaTensor* d_shortcut) = 0;

  /// The first half of a step whose gradient travels on: keeps what backward needs, losses of its own included where
  /// the block has any (labels are needed then).
  virtual Activation forward(const Activation& x, const Labels& labels, const Tensor& shortcut) = 0;

  /// The second half: takes the gradient at the output, absent where none arrives, and updates the parameters.
  virtual PassedOn backward(const Tensor& d_output, bool want_d_input, bool want_d_shortcut) = 0;

  /// Evaluation mode; with labels, the classifier's loss and errors go to the metrics.
  virtual ArenaTensor evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) = 0;

  /// A training step's forward pass, which moves the running statistics, and no more.
  virtual ArenaTensor estimate_statistics(const Tensor& x, const Tensor& shortcut) = 0;

  /// The local classifier's logits (N, classes) in evaluation mode; with labels as evaluate. What evaluate would return
  /// goes to `output` unless that is null. Throws Error(invalid_argument) if the block has no classifier of the labels.
  virtual ArenaTensor local_logits(const Tensor& x, const Labels& labels, const Tensor& shortcut, ArenaTensor* output);

  /// As train_step without the update; copies everything to the host.
  virtual Inspection inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) = 0;

  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  const std::string& name() const { return name_; }

  /// Sums since the last reset. Losses are weighted as read_metrics() has them.
  BlockMetrics metrics_so_far() const;

  /// Reads and resets. Losses are weighted by what similarity_weight() and prediction_weight() say.
  BlockMetrics read_metrics();

 protected:
  Block(std::shared_ptr<Context> context, const BlockConfig& config);

  /// Throw Error(invalid_argument) unless a batch of this shape is one that the block takes.
  void check_input(const Tensor& x) const;
  void check_shortcut(const Tensor& shortcut, int64_t samples) const;
  void check_labels(const Tensor& x, const Labels& labels, int64_t classes) const;

  /// Of the maps to which a shortcut is added; empty where the block takes none.
  virtual Shape shortcut_shape(int64_t) const { return {}; }
  virtual double similarity_weight() const { return 1; }
  virtual double prediction_weight() const { return 1; }

  Backend& backend() const { return context_->backend(); }
  Arena& arena() const { return backend().arena(); }
  DataParallel& data_parallel() const { return context_->data_parallel(); }
  Metrics* metrics() const { return static_cast<Metrics*>(metrics_.view().data); }
  void count_samples(int64_t samples);

  /// Adds "grad.…" of every parameter.
  void inspect_gradients(const ArenaTensor& gradients, Inspection& inspection) const;

  std::shared_ptr<Context> context_;
  std::string name_;
  Shape input_;  // of one sample: n is 1
  Parameters parameters_;

 private:
  DeviceBuffer metrics_;
  double samples_ = 0;
};

}  // namespace layerwise
