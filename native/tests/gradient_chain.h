// A whole block as a scalar function of its parameters and inputs, on the reference backend:
//
//   y = W ∗ x + b [+ residual];  h = act(BN(y) + shortcut);  output = max_pool(dropout(h))
//   loss = β · similarity(std or all of V ∗ h, or of average_pool(h), to the labels or their codes)
//        + (1 − β) · classifier(average_pool(h)), with the labels or their codes
//        + α · (similarity of those features to the input's, or reconstruction of the input from h)
//        + Σ output · probe
//
// The input that the unsupervised losses have as target is a constant beside x: as in training, no gradient goes
// that way.
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
  enum class Similarity { none, deviation, flat, pooled_deviation, pooled_flat };

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
  int64_t code_size = 0;       // of the labels' random codes; 0: one-hot labels
  bool mixed = false;          // targets of two classes in place of labels
  bool supervised = true;      // whether the similarity loss has labels
  bool input_target = false;   // whether it has the input
  bool reconstruction = false;
  bool linear_decoder = false;
  bool residual = false;       // as the sum of a pre-activation block has
  bool d_y_in_place = false;
  double beta = 0.75;
  double alpha = 0.5;
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
  bool features_from_pooled() const;
  void add_similarity_variables(const Shape& map);
  void add_classifier_variables(const Shape& map);
  void add_reconstruction_variables(const Shape& map);
  void similarity_features();
  double similarity_term();
  double classifier_term();
  double reconstruction_term();
  void pooled_gradient();
  void encoder_gradient();

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
  Tensor residual_, decoder_weight_, decoder_bias_;                       // variables as well
  Tensor projection_, input_, probe_, targets_;                                     // constants
  Tensor d_pooled_, d_features_pooled_, d_deviation_, d_z_, d_h_, d_y_, g_;
};

}  // namespace layerwise::test
