// The large products of a step, each of which an engine does (engines.h).
#pragma once

#include <string>
#include <vector>

#include "backend/cuda/convolution.h"

namespace layerwise::cuda {

/// A convolution or one of its gradients. x is the map that the convolution reads, y the one that it writes, or the
/// gradients there; what is computed is overwritten, all else is kept, so that a product can be done again.
struct Product {
  enum class Kind {
    convolution,      // y = W ∗ x (+ bias), and moments of y
    weight_gradient,  // weight = the gradient of the weights for y
    data_gradient,    // x = Wᵀ ∗ y
    hidden_gradient   // g of `hidden`, whose similarity branch is the data gradient of y = dz
  };
  Kind kind = Kind::convolution;
  Convolution geometry;
  Tensor x, weight, y;
  Tensor bias = {};      // or absent
  OutputMoments moments = {};
  const HiddenGradient* hidden = nullptr;

  /// Whether it is one matrix product: of a kernel that covers the input, or of a single position.
  bool is_matrix_product() const;

  /// All that its time depends on, in lower case, such as
  /// "convolve 128x32x32x3 weight 256x3x3x3 stride 1 padding 1 bf16".
  std::string describe(const Device& device) const;

  /// What is computed.
  std::vector<Tensor> outputs() const;
};

/// Has the device's engines do it.
void run(Device& device, const Product& product);

}  // namespace layerwise::cuda
