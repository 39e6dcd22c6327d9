// The losses by which a block learns from its own hidden activation.
#pragma once

#include <memory>

#include "block/block.h"

namespace layerwise {

/// The supervised local loss.
enum class LocalLoss { none, pred, sim, predsim };

/// The unsupervised local loss.
enum class UnsupervisedLoss { none, sim, recon };

struct LocalLossConfig {
  LocalLoss loss = LocalLoss::predsim;
  double beta = 0.99;  // predsim: beta · sim + (1 − beta) · pred
  double label_smoothing = 0;  // of the local classifier's targets in training; those of the similarity loss stay as they are
  bool similarity_std = true;
  int64_t dim_in_decoder = 4096;
  int64_t classes = 0;
  UnsupervisedLoss unsupervised = UnsupervisedLoss::none;
  double alpha = 0;  // total: alpha · unsupervised + (1 − alpha) · supervised
  bool bio = false;  // feedback alignment, projected binary targets, similarity of the pooled activation
  int64_t target_proj_size = 128;
};

/// What the losses must know of the block around them; shapes are of one sample.
struct LossSurroundings {
  bool linear = false;
  Shape input, hidden;
  Convolution encoder;
  double negative_slope = 0;
};

/// Nøkland & Eidnes 2019, sections 2.1 to 2.4: prediction loss, similarity matching loss, their
/// combination, the unsupervised losses and the backprop-free variants. All see h, the activation before
/// dropout, and know nothing of how it came about. Losses are means over the whole batch, of which this
/// process may have a part.
class LocalLosses {
 public:
  /// What the losses leave for the gradient at the pre-activation. Absent tensors contribute nothing.
  struct Branches {
    ArenaTensor d_pooled;                      // from the local classifier, and from the similarity under bio
    ArenaTensor z;                             // V ∗ h
    ArenaTensor mean, deviation, d_deviation;  // of z over positions; absent where maps are flattened
    ArenaTensor d_z;                           // where they are
    ArenaTensor d_h;                           // from the reconstruction
  };

  /// Adds the losses' parameters. Throws Error(invalid_argument) that says what cannot work.
  LocalLosses(const std::shared_ptr<Context>& context, const LocalLossConfig& config,
              const LossSurroundings& surroundings, Parameters& parameters);

  /// The pooling in front of the local classifier.
  const AveragePooling& pooling() const { return pooling_; }
  /// Memory for its output, an operand of all that follows; absent where that is h itself, or is not used.
  ArenaTensor take_pooled(const Tensor& h) const;

  /// Losses and gradients, in training: the parameters' go to `gradients`, those at h to the branches.
  /// `pooled` is h where nothing is pooled.
  Branches compute(const Tensor& h, const Tensor& pooled, const Tensor& x, const Labels& labels,
                   const ArenaTensor& gradients, Metrics* metrics, Inspection* inspection) const;

  /// Hands the branches to the operation that gathers them.
  void connect(const Branches& branches, const ArenaTensor& gradients, HiddenGradient& op) const;

  /// The local classifier's loss and errors, in evaluation.
  void evaluate(const Tensor& pooled, const Labels& labels, Metrics* metrics) const;

  /// Labels are below this.
  int64_t classes() const { return config_.classes; }

  /// Throws Error(invalid_argument) for labels of mixed images where targets are codes of single classes.
  void check_labels(const Labels& labels) const;

  /// Throws Error(invalid_argument) unless there is a local classifier whose logits are classes.
  void require_label_classifier() const;

  /// The local classifier's logits (N, classes), which the caller has taken; with labels, loss and errors as in evaluate.
  void logits(const Tensor& pooled, const Labels& labels, Metrics* metrics, const Tensor& logits) const;

  /// Weights of the parts in the supervised loss.
  double similarity_weight() const { return config_.loss == LocalLoss::predsim ? config_.beta : 1; }
  double prediction_weight() const { return config_.loss == LocalLoss::predsim ? 1 - config_.beta : 1; }

 private:
  bool learns_prediction() const { return config_.loss == LocalLoss::pred || config_.loss == LocalLoss::predsim; }
  bool learns_labels_by_similarity() const {
    return config_.loss == LocalLoss::sim || config_.loss == LocalLoss::predsim;
  }
  bool learns_similarity() const {
    return learns_labels_by_similarity() || config_.unsupervised == UnsupervisedLoss::sim;
  }
  bool reconstructs() const { return config_.unsupervised == UnsupervisedLoss::recon; }
  bool uses_deviations(const Shape& map) const { return config_.similarity_std && map.c > 3 && map.h > 1; }
  double supervised_scale() const { return 1 - config_.alpha; }
  Backend& backend() const { return context_.backend(); }
  Arena& arena() const { return backend().arena(); }

  DataParallel& data_parallel() const { return context_.data_parallel(); }

  ClassifierLoss classifier(const Tensor& pooled, const Labels& labels, Metrics* metrics) const;
  ArenaTensor prediction_loss(const Tensor& pooled, const Labels& labels, const ArenaTensor& gradients,
                              Metrics* metrics, Inspection* inspection) const;
  void similarity_loss(const Tensor& h, const Tensor& x, const Labels& labels, Metrics* metrics,
                       Inspection* inspection, Branches& branches) const;
  void pooled_similarity_loss(const Tensor& pooled, const Tensor& x, const Labels& labels, Metrics* metrics,
                              Inspection* inspection, Branches& branches) const;
  void match(const Tensor& features, const Tensor& d_features, const Tensor& x, const Labels& labels,
             Metrics* metrics, Inspection* inspection) const;
  ArenaTensor reconstruction_loss(const Tensor& h, const Tensor& x, const ArenaTensor& gradients,
                                  Metrics* metrics) const;

  Context& context_;
  LocalLossConfig config_;
  LossSurroundings surroundings_;
  Parameters& parameters_;
  AveragePooling pooling_;              // before the local classifier
  Convolution similarity_convolution_;  // 3×3 same-size for maps, 1×1 for linear blocks

  // Numbers of the tensors in parameters_.
  size_t decoder_weight_ = 0, decoder_bias_ = 0, feedback_ = 0, projection_ = 0;
  size_t similarity_kernel_ = 0;
  size_t reconstruction_weight_ = 0, reconstruction_bias_ = 0;
};

}  // namespace layerwise
