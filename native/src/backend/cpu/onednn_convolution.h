// Convolutions by oneDNN.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace layerwise::cpu {

/// Activations are channels-last, weights (O, KH, KW, I), both of one type, float32 or bfloat16; biases and
/// the weights' gradients are float32. oneDNN's own weight layouts are made from and
/// into that on each call, since weights change with every step. Keeps the primitives it has made, one
/// set per shape; temporaries come from the arena. All throw Error(internal) naming the shapes where
/// oneDNN fails.
class OnednnConvolution {
 public:
  explicit OnednnConvolution(Arena& arena);
  ~OnednnConvolution();
  OnednnConvolution(const OnednnConvolution&) = delete;
  OnednnConvolution& operator=(const OnednnConvolution&) = delete;

  /// y = W ∗ x (+ bias; absent: none).
  void forward(const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
               const Tensor& y);

  /// d_x = Wᵀ ∗ d_y.
  void data_gradient(const Convolution& geometry, const Tensor& d_y, const Tensor& weight, const Tensor& d_x);

  /// d_weight = Σ over samples and positions of d_y times the x under the kernel.
  void weight_gradient(const Convolution& geometry, const Tensor& x, const Tensor& d_y, const Tensor& d_weight);

 private:
  struct Primitives;
  Arena& arena_;
  std::unique_ptr<Primitives> primitives_;
};

}  // namespace layerwise::cpu
