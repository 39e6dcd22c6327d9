// A whole block as a scalar function of its parameters and inputs, on the reference backend:
//
//   y = W ∗ x + b;  h = act(BN(y) + shortcut);  output = max_pool(dropout(h))
//   loss = β · similarity(std or all of V ∗ h) + (1 − β) · classifier(average_pool(h)) + Σ output · probe
//
// and the gradients that the operations with a backward part give for it.
#pragma once

#include <deque>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace layerwise::test {

struct BlockChainOptions {
  enum class Similarity { none, deviation, flat };

  std::string name;  // letters, digits and underscores
  Shape x{4, 6, 6, 3};
  int64_t out_channels = 5;
  Convolution convolution{3, 3, 1, 1};
  bool bias = true;
  bool batch_norm = true;
  bool shortcut = false;
  double negative_slope = 0.01;
  double dropout = 0;
  bool max_pool = false;
  Similarity similarity = Similarity::none;
  Convolution similarity_convolution{3, 3, 1, 1};
  bool classifier = false;
  AveragePooling pooling = {};
  bool probe = false;  // the output counts: as in backpropagation
  double beta = 0.75;
  int64_t classes = 4;
};
inline void PrintTo(const BlockChainOptions& one, std::ostream* stream) { *stream << one.name; }

class BlockChain {
 public:
  explicit BlockChain(const BlockChainOptions& options);

  /// What the loss depends on, and where backward() writes its gradient.
  struct Variable {
    std::string name;
    Tensor value, gradient;
  };
  const std::vector<Variable>& variables() const { return variables_; }

  /// The loss for the values that the variables hold now.
  double loss();

  /// The gradients at those values; calls loss().
  void backward();

 private:
  Tensor zeros(const Shape& shape);
  Tensor random(const Shape& shape, double low, double high);
  Tensor variable(const std::string& name, const Shape& shape, double low, double high);
  Tensor gradient_of(const std::string& name) const;
  double similarity_term(double gradient_scale);
  double classifier_term(double gradient_scale);

  BlockChainOptions options_;
  std::unique_ptr<Backend> backend_;
  std::deque<std::vector<double>> storage_;
  std::vector<Variable> variables_;
  uint64_t drawn_ = 0;
  std::vector<int32_t> label_values_;
  Tensor labels_;

  Tensor x_, weight_, bias_, scale_, shift_, shortcut_;                   // variables, absent where not used
  Tensor similarity_weight_, classifier_weight_, classifier_bias_;
  Tensor y_, mean_, variance_, h_, pooled_, output_, z_, z_mean_, z_deviation_;
  Tensor probe_;
  Tensor d_pooled_, d_deviation_, d_z_, g_;
};

}  // namespace layerwise::test
