// The parameters of a batch norm, and how they enter the operations.
#pragma once

#include <string>

#include "block/parameters.h"

namespace layerwise {

/// Scale, shift and running statistics of one batch norm among a block's parameters.
class BatchNorm {
 public:
  /// Adds "PREFIXweight", "PREFIXbias", "PREFIXrunning_mean" and "PREFIXrunning_var"; without `affine` the
  /// first two are buffers that stay 1 and 0.
  BatchNorm(Parameters& parameters, const std::string& prefix, int64_t channels, bool affine = true,
            double momentum = 0.1);

  Tensor scale() const { return affine_ ? parameters_.parameter(scale_) : parameters_.buffer(scale_); }

  /// The operands of a forward pass with these statistics of the batch, which also move the running ones.
  void connect_training(const Tensor& mean, const Tensor& variance, NormalizeActivate& op) const;
  /// The operands of a forward pass with the running statistics.
  void connect_evaluation(NormalizeActivate& op) const;

  /// Where the gradients of scale and shift go: among the parameters' gradients, or, where they are not
  /// trained, to temporaries, which the caller holds.
  struct Gradients {
    ArenaTensor temporary_scale, temporary_shift;
    Tensor d_scale, d_shift;
  };
  Gradients gradients(const ArenaTensor& of_parameters, Arena& arena) const;

 private:
  Parameters& parameters_;
  int64_t channels_;
  bool affine_;
  double momentum_;
  size_t scale_, shift_, running_mean_, running_variance_;
};

}  // namespace layerwise
