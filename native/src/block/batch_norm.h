// The parameters of a batch norm, and how they enter the operations.
#pragma once

#include <string>

#include "block/parameters.h"

namespace layerwise {

/// Mean and variance of a batch, per channel: what a training step normalizes by, and needs again for its gradients.
struct BatchStatistics {
  ArenaTensor mean, variance;
  ArenaTensor d_scale, d_shift;  // where scale and shift are not trained: memory for gradients that nobody reads
};

/// Scale, shift and running statistics of one batch norm among a block's parameters.
class BatchNorm {
 public:
  /// Adds "PREFIXweight", "PREFIXbias", "PREFIXrunning_mean" and "PREFIXrunning_var"; without `affine` the
  /// first two are buffers that stay 1 and 0.
  BatchNorm(Context& context, Parameters& parameters, const std::string& prefix, int64_t channels, bool affine = true,
            double momentum = 0.1);

  /// The statistics of y, of the whole batch.
  BatchStatistics statistics_of(const Tensor& y) const;
  /// The statistics of what a convolution gives, which it computes itself; of this process's samples, until they are merged.
  BatchStatistics statistics_of(ConvolutionForward& op) const;
  /// The convolution's statistics become those of the whole batch.
  void merge(const BatchStatistics& statistics, const Tensor& y) const;

  /// The operands of a forward pass: with these statistics, which also move the running ones, or in evaluation, where
  /// they are absent, with the running ones.
  void connect(const BatchStatistics& statistics, NormalizeActivate& op) const;

  /// After that forward pass in training: several processes agree on the running statistics.
  void agree_on_running(const BatchStatistics& statistics, const Tensor& y) const;

  /// The operands of a backward pass through the normalization of y. The gradients of scale and shift, which the first
  /// operation computes and the second needs, go among those of all parameters.
  void connect_gradient(const Tensor& y, const BatchStatistics& statistics, const ArenaTensor& gradients,
                        HiddenGradient& op) const;
  void connect_gradient(const Tensor& y, const BatchStatistics& statistics, const ArenaTensor& gradients,
                        EncoderGradient& op) const;

  /// After a HiddenGradient so connected, and before what else needs the gradients of scale and shift: they become those of
  /// the whole batch, of which every process keeps its share.
  void sum_gradients(const Tensor& y, const BatchStatistics& statistics, const ArenaTensor& gradients) const;

  /// After a HiddenGradient so connected, sum_gradients included: g, the gradient at the normalized values, becomes that at y, plus `addend`
  /// if there is one.
  void backward(const Tensor& y, const BatchStatistics& statistics, const ArenaTensor& gradients, const Tensor& g,
                const Tensor& addend = {}) const;

 private:
  BatchStatistics take_statistics() const;
  Tensor trained_or_kept(size_t number) const;
  Tensor d_scale(const BatchStatistics& statistics, const ArenaTensor& gradients) const;
  Tensor d_shift(const BatchStatistics& statistics, const ArenaTensor& gradients) const;

  Context& context_;
  Parameters& parameters_;
  int64_t channels_;
  bool affine_;
  double momentum_;
  size_t scale_, shift_, running_mean_, running_variance_;
};

}  // namespace layerwise
