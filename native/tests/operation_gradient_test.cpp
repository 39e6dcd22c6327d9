// Gradients of the reference backend against central differences of its losses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "gradient_chain.h"

namespace layerwise::test {

namespace {

// Central differences with step h err by h²/6 times the third derivative, and by rounding, ε·|loss|/h
// per element: with h = 1e-5 about 1e-10 and 2e-11·|loss|. The bound leaves a factor of 100 to the
// former, for third derivatives and for gradients that are small beside the loss; a wrong term is off by
// far more. The random values are fixed, and none lies within h of a kink or of another maximum.
constexpr double step = 1e-5;
constexpr double tolerance = 1e-8;

/// ‖analytic − numeric‖₂ ≤ tolerance · max(1, ‖numeric‖₂) for each variable.
void expect_gradients(BlockChain& chain) {
  chain.backward();
  // Copies, since the losses below write the classifier's gradients anew.
  std::vector<std::vector<double>> gradients;
  for (const BlockChain::Variable& variable : chain.variables()) {
    const double* gradient = variable.gradient.as<double>();
    gradients.emplace_back(gradient, gradient + variable.gradient.shape.elements());
  }
  for (size_t v = 0; v < gradients.size(); ++v) {
    const BlockChain::Variable& variable = chain.variables()[v];
    double error = 0, norm = 0;
    for (int64_t i = 0; i < variable.value.shape.elements(); ++i) {
      double& value = variable.value.as<double>()[i];
      const double analytic = gradients[v][static_cast<size_t>(i)];
      const double kept = value;
      value = kept + step;
      const double above = chain.loss();
      value = kept - step;
      const double below = chain.loss();
      value = kept;
      const double numeric = (above - below) / (2 * step);
      error += std::pow(analytic - numeric, 2);
      norm += std::pow(numeric, 2);
    }
    EXPECT_TRUE(std::sqrt(error) <= tolerance * std::max(1.0, std::sqrt(norm)))
        << variable.name << ": gradient differs by " << std::sqrt(error) << " of " << std::sqrt(norm);
  }
}

using Similarity = BlockChainOptions::Similarity;

BlockChainOptions options(const std::string& name, const std::function<void(BlockChainOptions&)>& change) {
  BlockChainOptions result;
  result.name = name;
  change(result);
  return result;
}

std::vector<BlockChainOptions> all_options() {
  using O = BlockChainOptions;
  return {
      options("batch_norm", [](O& o) { o.probe = true; }),
      options("no_batch_norm", [](O& o) { o.probe = true, o.batch_norm = false; }),
      options("relu_stride_2", [](O& o) {
        o.probe = true, o.negative_slope = 0, o.convolution = {3, 3, 2, 1}, o.x = {3, 7, 5, 2};
      }),
      options("shortcut", [](O& o) { o.probe = o.shortcut = true, o.bias = false; }),
      options("dropout", [](O& o) { o.probe = true, o.dropout = 0.25; }),
      options("max_pool", [](O& o) { o.probe = o.max_pool = true; }),
      options("max_pool_odd_dropout", [](O& o) {
        o.probe = o.max_pool = true, o.dropout = 0.5, o.x = {3, 5, 7, 2};
      }),
      options("pred", [](O& o) { o.classifier = true, o.pooling = {2, 2, 0, 0}; }),
      options("pred_padded", [](O& o) { o.classifier = true, o.pooling = {4, 2, 2, 1}, o.x = {3, 5, 7, 2}; }),
      options("pred_linear", [](O& o) {
        o.classifier = true, o.x = {5, 1, 1, 7}, o.convolution = {1, 1, 1, 0};
      }),
      options("pred_whole_map", [](O& o) {
        o.classifier = true, o.x = {5, 3, 2, 3}, o.convolution = {3, 2, 1, 0};
      }),
      options("sim_deviation", [](O& o) { o.similarity = Similarity::deviation; }),
      options("sim_deviation_no_batch_norm", [](O& o) {
        o.similarity = Similarity::deviation, o.batch_norm = false;
      }),
      options("sim_flat", [](O& o) { o.similarity = Similarity::flat; }),
      options("sim_linear", [](O& o) {
        o.similarity = Similarity::flat, o.x = {6, 1, 1, 7}, o.convolution = {1, 1, 1, 0};
        o.similarity_convolution = {1, 1, 1, 0};
      }),
      options("predsim", [](O& o) {
        o.similarity = Similarity::deviation, o.classifier = true, o.pooling = {2, 2, 0, 0};
      }),
      options("mixed_predsim", [](O& o) {
        o.mixed = true, o.similarity = Similarity::deviation, o.classifier = true, o.pooling = {2, 2, 0, 0};
      }),
      options("mixed_sim_flat_two_classes_and_input", [](O& o) {
        o.mixed = o.input_target = true, o.similarity = Similarity::flat, o.classes = 2;
      }),
      options("bio_pred", [](O& o) { o.classifier = true, o.code_size = 6, o.pooling = {2, 2, 0, 0}; }),
      options("bio_sim", [](O& o) {
        o.similarity = Similarity::pooled_deviation, o.code_size = 6, o.pooling = {2, 2, 0, 0};
      }),
      options("bio_predsim_flat", [](O& o) {
        o.similarity = Similarity::pooled_flat, o.classifier = true, o.code_size = 6, o.pooling = {4, 4, 1, 1};
      }),
      options("bio_predsim_deviation", [](O& o) {
        o.similarity = Similarity::pooled_deviation, o.classifier = true, o.code_size = 6;
        o.batch_norm = false;
      }),
      options("bio_predsim_linear", [](O& o) {
        o.similarity = Similarity::pooled_flat, o.classifier = true, o.code_size = 6, o.x = {6, 1, 1, 7};
        o.convolution = {1, 1, 1, 0};
      }),
      options("sim_codes", [](O& o) { o.similarity = Similarity::deviation, o.code_size = 6; }),
      options("sim_input_only", [](O& o) {
        o.similarity = Similarity::deviation, o.supervised = false, o.input_target = true;
      }),
      options("sim_input_only_linear", [](O& o) {
        o.similarity = Similarity::flat, o.supervised = false, o.input_target = true, o.x = {6, 1, 1, 7};
        o.convolution = o.similarity_convolution = {1, 1, 1, 0};
      }),
      options("sim_labels_and_input", [](O& o) { o.similarity = Similarity::deviation, o.input_target = true; }),
      options("sim_codes_and_input", [](O& o) {
        o.similarity = Similarity::pooled_flat, o.code_size = 6, o.input_target = true, o.pooling = {2, 2, 0, 0};
      }),
      options("reconstruction", [](O& o) { o.reconstruction = true; }),
      options("reconstruction_relu_no_batch_norm", [](O& o) {
        o.reconstruction = true, o.batch_norm = false, o.negative_slope = 0;
      }),
      options("reconstruction_1x1_kernel", [](O& o) { o.reconstruction = true, o.convolution = {1, 1, 1, 0}; }),
      options("reconstruction_linear", [](O& o) {
        o.reconstruction = o.linear_decoder = true, o.x = {6, 1, 1, 7}, o.convolution = {1, 1, 1, 0};
      }),
      options("reconstruction_predsim", [](O& o) {
        o.reconstruction = o.classifier = true, o.similarity = Similarity::deviation, o.pooling = {2, 2, 0, 0};
        o.negative_slope = 0;
      }),
      options("residual", [](O& o) { o.probe = o.residual = true; }),
      options("residual_in_place", [](O& o) { o.probe = o.residual = o.d_y_in_place = true; }),
      options("residual_no_batch_norm", [](O& o) { o.probe = o.residual = true, o.batch_norm = false; }),
      options("residual_no_batch_norm_in_place", [](O& o) {
        o.probe = o.residual = o.d_y_in_place = true, o.batch_norm = false;
      }),
      options("everything", [](O& o) {
        o.similarity = Similarity::deviation, o.classifier = o.probe = o.max_pool = o.shortcut = true;
        o.pooling = {2, 2, 1, 1}, o.dropout = 0.25, o.x = {3, 7, 5, 2};
        o.input_target = o.reconstruction = o.residual = true;
      }),
  };
}

}  // namespace

class OperationGradientTest : public testing::TestWithParam<BlockChainOptions> {};

TEST_P(OperationGradientTest, matches_central_differences) {
  BlockChain chain(GetParam());
  expect_gradients(chain);
}

INSTANTIATE_TEST_SUITE_P(blocks, OperationGradientTest, testing::ValuesIn(all_options()),
                         [](const testing::TestParamInfo<BlockChainOptions>& info) { return info.param.name; });

// The gradient of a bias before batch norm is 0 by the algebra, and must be so to the last bit.
TEST(OperationGradient, bias_before_batch_norm_is_exactly_zero) {
  BlockChain chain(options("predsim", [](BlockChainOptions& o) {
    o.similarity = Similarity::deviation;
    o.classifier = true;
  }));
  chain.backward();
  for (const BlockChain::Variable& variable : chain.variables()) {
    if (variable.name != "bias") continue;
    for (int64_t i = 0; i < variable.gradient.shape.elements(); ++i) {
      EXPECT_EQ(variable.gradient.as<double>()[i], 0.0);
    }
  }
}

namespace {

/// The similarity loss of three samples of two or more features, and its gradient.
struct SimilarityRun {
  explicit SimilarityRun(std::vector<double> features) : x(std::move(features)), d_x(x.size()) {
    const std::unique_ptr<Backend> backend = make_reference_backend();
    const Shape shape = Shape::matrix(3, static_cast<int64_t>(x.size()) / 3);
    SimilarityLoss op;
    op.x = {x.data(), DataType::float64, shape};
    op.labels = {labels, DataType::int32, Shape::vector(3)};
    op.classes = 4;
    op.d_x = {d_x.data(), DataType::float64, shape};
    op.similarity = {similarity, DataType::float64, Shape::matrix(3, 3)};
    op.target = {target, DataType::float64, Shape::matrix(3, 3)};
    op.metrics = &metrics;
    backend->similarity_loss(op);
  }

  std::vector<double> x, d_x;
  int32_t labels[3] = {1, 1, 3};
  double similarity[9], target[9];
  Metrics metrics;
};

}  // namespace

TEST(SimilarityLoss, constant_vector_has_similarity_zero_and_gradient_zero) {
  const SimilarityRun run({0.5, 0.5, 0.5, /**/ 1, 2, 4, /**/ -1, 3, 0});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run.similarity[i], 0.0);
    EXPECT_EQ(run.d_x[static_cast<size_t>(i)], 0.0);
  }
  double others = 0;
  for (size_t i = 3; i < 9; ++i) others += std::abs(run.d_x[i]);
  EXPECT_GT(others, 0.0);
}

TEST(SimilarityLoss, two_features_by_hand) {
  // Centred vectors of two features are ±(a, −a): similarities are ±1. Rows 0 and 2 agree, row 1 is opposed.
  const SimilarityRun run({3, 1, /**/ 0, 4, /**/ 9, 8});
  const double sign[3] = {1, -1, 1};
  double loss = 0;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      const double wanted = run.labels[i] == run.labels[j] ? 1 : -1.0 / 3;
      EXPECT_EQ(run.target[3 * i + j], wanted);
      // The 1e-8 in the denominator shows in the eighth digit.
      EXPECT_NEAR(run.similarity[3 * i + j], sign[i] * sign[j], 1e-7);
      loss += std::pow(sign[i] * sign[j] - wanted, 2) / 9;
    }
  }
  EXPECT_NEAR(run.metrics.similarity_loss / 3, loss, 1e-7);
}

/// Targets that are one-hot give what their labels give, and mixed ones the cosines of the centred targets.
TEST(SimilarityLoss, of_mixed_targets_by_hand) {
  double x[8] = {3, 1, /**/ 0, 4, /**/ 9, 8, /**/ 1, 7}, target[16];
  // Less their mean 1/3: (2, −1, −1)/3, (−1, −1, 2)/3, (1, 0, −1) · 0.5 − 1/3 = (1, −2, 1)/6, (2, −1, −1)/3.
  double targets[12] = {1, 0, 0, /**/ 0, 0, 1, /**/ 0.5, 0, 0.5, /**/ 1, 0, 0};
  SimilarityLoss op;
  op.x = {x, DataType::float64, Shape::matrix(4, 2)};
  op.targets = {targets, DataType::float64, Shape::matrix(4, 3)};
  op.classes = 3;
  op.target = {target, DataType::float64, Shape::matrix(4, 4)};
  make_reference_backend()->similarity_loss(op);
  const double wanted[16] = {1, -0.5, 0.5, 1, /**/ -0.5, 1, 0.5, -0.5, /**/ 0.5, 0.5, 1, 0.5, /**/ 1, -0.5, 0.5, 1};
  for (int i = 0; i < 16; ++i) EXPECT_NEAR(target[i], wanted[i], 1e-7) << i;  // 1e-8 / norm, twice
}

TEST(ClassifierLoss, mixed_targets_by_hand) {
  // Softmax is 1/8, 2/8 and 5/8. The largest shares are at 1 (wrong) and at 2, the first of equals at 0 (wrong).
  const std::unique_ptr<Backend> backend = make_reference_backend();
  double x[3] = {1, 1, 1}, weight[3] = {}, bias[3] = {0, std::log(2.0), std::log(5.0)};
  double d_weight[3], d_bias[3];
  double targets[9] = {0.25, 0.75, 0, /**/ 0.4, 0, 0.6, /**/ 0.5, 0, 0.5};
  Metrics metrics;
  ClassifierLoss op;
  op.x = {x, DataType::float64, Shape::matrix(3, 1)};
  op.weight = {weight, DataType::float64, Shape::matrix(3, 1)};
  op.bias = {bias, DataType::float64, Shape::vector(3)};
  op.targets = {targets, DataType::float64, Shape::matrix(3, 3)};
  op.d_weight = {d_weight, DataType::float64, Shape::matrix(3, 1)};
  op.d_bias = {d_bias, DataType::float64, Shape::vector(3)};
  op.metrics = &metrics;
  backend->classifier_loss(op);
  const double p[3] = {1.0 / 8, 2.0 / 8, 5.0 / 8};
  double loss = 0;
  for (int n = 0; n < 3; ++n)
    for (int k = 0; k < 3; ++k) loss -= targets[3 * n + k] * std::log(p[k]);
  EXPECT_NEAR(metrics.prediction_loss, loss, 1e-14);  // a dozen roundings of values below 6
  EXPECT_EQ(metrics.errors, 2.0);
  for (int k = 0; k < 3; ++k) EXPECT_NEAR(d_bias[k], p[k] - (targets[k] + targets[3 + k] + targets[6 + k]) / 3, 1e-15);
}

TEST(ClassifierLoss, zero_weights_give_log_classes_and_count_the_first_class) {
  const std::unique_ptr<Backend> backend = make_reference_backend();
  std::vector<double> x(12, 1.0), weight(15, 0.0), bias(5, 0.0);
  std::vector<int32_t> labels = {0, 1, 4, 0};
  Metrics metrics;
  ClassifierLoss op;
  op.x = {x.data(), DataType::float64, Shape::matrix(4, 3)};
  op.weight = {weight.data(), DataType::float64, Shape::matrix(5, 3)};
  op.bias = {bias.data(), DataType::float64, Shape::vector(5)};
  op.labels = {labels.data(), DataType::int32, Shape::vector(4)};
  op.metrics = &metrics;
  backend->classifier_loss(op);
  // Four sums of five equal exponentials: exact but for the rounding of log and of the additions.
  EXPECT_NEAR(metrics.prediction_loss, 4 * std::log(5.0), 1e-14);
  EXPECT_EQ(metrics.errors, 2.0);
}

TEST(ClassifierLoss, smoothed_labels_by_hand) {
  // Logits are the biases 0, log 2 and log 5, so that softmax is 1/8, 2/8 and 5/8. With e = 0.3 the label's target is
  // 0.7 + 0.1, that of each other class 0.1.
  const std::unique_ptr<Backend> backend = make_reference_backend();
  double x[2] = {1, 1}, weight[3] = {}, bias[3] = {0, std::log(2.0), std::log(5.0)};
  double d_weight[3], d_bias[3], d_x[2];
  int32_t labels[2] = {1, 2};
  Metrics metrics;
  ClassifierLoss op;
  op.x = {x, DataType::float64, Shape::matrix(2, 1)};
  op.weight = {weight, DataType::float64, Shape::matrix(3, 1)};
  op.bias = {bias, DataType::float64, Shape::vector(3)};
  op.labels = {labels, DataType::int32, Shape::vector(2)};
  op.label_smoothing = 0.3;
  op.d_weight = {d_weight, DataType::float64, Shape::matrix(3, 1)};
  op.d_bias = {d_bias, DataType::float64, Shape::vector(3)};
  op.d_x = {d_x, DataType::float64, Shape::matrix(2, 1)};
  op.metrics = &metrics;
  backend->classifier_loss(op);
  const double p[3] = {1.0 / 8, 2.0 / 8, 5.0 / 8};
  const double q[2][3] = {{0.1, 0.8, 0.1}, {0.1, 0.1, 0.8}};
  double loss = 0;
  for (int n = 0; n < 2; ++n)
    for (int k = 0; k < 3; ++k) loss -= q[n][k] * std::log(p[k]);
  EXPECT_NEAR(metrics.prediction_loss, loss, 1e-14);  // a dozen roundings of values below 3
  EXPECT_EQ(metrics.errors, 1.0);
  for (int k = 0; k < 3; ++k) EXPECT_NEAR(d_bias[k], (2 * p[k] - q[0][k] - q[1][k]) / 2, 1e-15);
  for (int k = 0; k < 3; ++k) EXPECT_EQ(d_weight[k], d_bias[k]);  // the only feature is 1
}

namespace {

/// A classifier of two samples with three features and three outputs, whose labels are columns of a code.
struct CodeRun {
  CodeRun() {
    op.x = {x, DataType::float64, Shape::matrix(2, 3)};
    op.weight = {weight, DataType::float64, Shape::matrix(3, 3)};
    op.bias = {bias, DataType::float64, Shape::vector(3)};
    op.labels = {labels, DataType::int32, Shape::vector(2)};
    op.projection = {code, DataType::float64, Shape::matrix(3, 2)};
    op.d_weight = {d_weight, DataType::float64, Shape::matrix(3, 3)};
    op.d_bias = {d_bias, DataType::float64, Shape::vector(3)};
    op.d_x = {d_x, DataType::float64, Shape::matrix(2, 3)};
    op.metrics = &metrics;
  }
  void run() { make_reference_backend()->classifier_loss(op); }

  double x[6] = {1, -2, 3, /**/ 0.5, 4, -1};
  double weight[9] = {};
  double bias[3] = {};
  int32_t labels[2] = {1, 0};
  double code[6] = {-0.5, 0.25, /**/ 0, 0.5, /**/ 0.125, -0.25};  // targets 0 0 1 of label 0, 1 1 0 of label 1
  double d_weight[9], d_bias[3], d_x[6];
  Metrics metrics;
  ClassifierLoss op;
};

}  // namespace

TEST(ClassifierLoss, codes_by_hand) {
  CodeRun run;
  run.run();
  // Every logit is 0: each counts log 2, and sigmoid − t is ±1/2, divided by the six logits.
  EXPECT_NEAR(run.metrics.prediction_loss, 2 * std::log(2.0), 1e-15);
  EXPECT_EQ(run.metrics.errors, 0.0);
  for (double d : run.d_bias) EXPECT_EQ(d, 0.0);  // one sample has the bit, the other has not
  const double bit[2][3] = {{1, 1, 0}, {0, 0, 1}};
  for (int k = 0; k < 3; ++k) {
    for (int f = 0; f < 3; ++f) {
      double wanted = 0;
      for (int n = 0; n < 2; ++n) wanted += (0.5 - bit[n][k]) / 6 * run.x[3 * n + f];
      EXPECT_NEAR(run.d_weight[3 * k + f], wanted, 1e-15);  // sums of two terms below 1
    }
  }
  for (double d : run.d_x) EXPECT_EQ(d, 0.0);
}

TEST(ClassifierLoss, codes_stay_finite_for_large_logits) {
  CodeRun run;
  run.bias[0] = 1000;   // wanted 1, then 0
  run.bias[1] = -1000;  // wanted 1, then 0
  run.run();
  // Each of the two is wrong by 1000 once; the third counts log 2. A sum over samples of a mean over three.
  EXPECT_NEAR(run.metrics.prediction_loss, (2000 + 2 * std::log(2.0)) / 3, 1e-12);  // rounding of 1000
  EXPECT_EQ(run.d_bias[0], 1.0 / 6);
  EXPECT_EQ(run.d_bias[1], -1.0 / 6);
}

TEST(ClassifierLoss, feedback_replaces_the_weights_in_the_data_gradient_only) {
  double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  CodeRun plain, fed;
  for (CodeRun* run : {&plain, &fed})
    for (int i = 0; i < 9; ++i) run->weight[i] = 0.25 * (i % 4) - 0.5;
  fed.op.feedback = {identity, DataType::float64, Shape::matrix(3, 3)};
  plain.run();
  fed.run();
  EXPECT_EQ(plain.metrics.prediction_loss, fed.metrics.prediction_loss);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(plain.d_weight[i], fed.d_weight[i]);
  for (int k = 0; k < 3; ++k) EXPECT_EQ(plain.d_bias[k], fed.d_bias[k]);
  // Through the identity d_x is d_logits, which times the weights is what the plain run has.
  for (int n = 0; n < 2; ++n) {
    for (int f = 0; f < 3; ++f) {
      double wanted = 0;
      for (int k = 0; k < 3; ++k) wanted += fed.d_x[3 * n + k] * plain.weight[3 * k + f];
      EXPECT_NEAR(plain.d_x[3 * n + f], wanted, 1e-15);  // sums of three terms below 1
    }
  }
}

}  // namespace layerwise::test
