// Blocks of residual networks: preactivation, projections on shortcuts and heads, against central differences
// on the reference backend in double.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "small_residual_network.h"

namespace layerwise::testing {
namespace {

layerwise_optimizer plain_sgd() {
  layerwise_optimizer settings = default_optimizer;
  settings.optim = LAYERWISE_OPTIM_SGD;
  return settings;
}

// Compares difference quotients of `loss` in some elements of a parameter with `gradient`. The step and the
// bound are those of block_gradient_test: rounding of the gradient to float32, and a kink would be far above.
void expect_gradient(Block& block, const std::string& name, const std::vector<float>& gradient,
                     const std::function<double()>& loss) {
  std::vector<float> values = tensors_of(block)[name];
  ASSERT_EQ(values.size(), gradient.size()) << name;
  const int64_t count = static_cast<int64_t>(values.size());
  double largest = 1e-2;
  for (const float g : gradient) largest = std::max(largest, static_cast<double>(std::fabs(g)));
  const float step = 1.0f / (1 << 20);
  for (size_t i = 0; i < values.size(); i += values.size() > 40 ? values.size() / 19 : 1) {
    const float original = values[i];
    values[i] = original + step;
    const double above = values[i];
    block.parameters().write(name, values.data(), count);
    const double loss_above = loss();
    values[i] = original - step;
    const double below = values[i];
    block.parameters().write(name, values.data(), count);
    const double loss_below = loss();
    values[i] = original;
    const double quotient = (loss_above - loss_below) / (above - below);
    EXPECT_TRUE(std::fabs(quotient - gradient[i]) <= 2e-6 * largest)
        << name << "[" << i << "]: gradient " << gradient[i] << ", difference quotient " << quotient;
  }
  block.parameters().write(name, values.data(), count);
}

TEST(Preactivation, local_gradients_agree_with_central_differences) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  for (const bool first : {false, true}) {
    PreactivationBlockConfig config = small_preactivation_block(0, {1, 8, 8, 4}, plain_sgd());
    config.normalize_input = !first;
    if (first) config.input_dropout = config.dropout = 0;
    PreactivationBlock block(context, config);
    const std::vector<float> decoder = random_values(3 * 5 * 4, 21);
    block.parameters().write("decoder_y.weight", decoder.data(), 3 * 5 * 4);
    const Batch batch(context, {6, 8, 8, 4}, 3);
    const ArenaTensor shortcut = context->backend().arena().take(DataType::float64, {6, 8, 8, 5});
    upload(context->backend(), random_values(6 * 8 * 8 * 5, 5).data(), shortcut);
    const Inspection inspection = block.inspect(*batch.x, batch.labels, shortcut);
    const auto loss = [&] {
      block.read_metrics();
      block.inspect(*batch.x, batch.labels, shortcut);
      const BlockMetrics metrics = block.read_metrics();
      return (metrics.similarity_loss + metrics.prediction_loss) / metrics.samples;
    };
    for (size_t i = 0; i < block.parameters().parameter_count(); ++i) {
      const std::string& name = block.parameters().parameter_name(i);
      expect_gradient(block, name, inspection.at("grad." + name), loss);
    }
  }
}

// A residual block of two preactivation blocks with a projected shortcut and a head behind it, trained by
// backpropagation or, with local losses, by all of them (no_detach). With SGD at learning rate 1 the update is
// the gradient.
void expect_connected_gradients(bool local_losses, bool max_pool) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  SmallResidualNetworkConfig config(local_losses, plain_sgd());
  config.projection.encoder_name = "0.";
  config.projection.norm_name = "1.";
  config.head.negative_slope = 0.01;
  config.head.norm_momentum = 0.9;
  config.head.average_pool = max_pool ? 1 : 2;
  config.head.max_pool = max_pool;
  SmallResidualNetwork network(context, config);
  const Batch batch(context, {6, 8, 8, 4}, 3);

  const auto step = [&](double learning_rate) {
    context->set_step(0, learning_rate);
    for (Block* block : network.blocks()) block->read_metrics();
    network.train_step(batch.x, batch.labels, false);
    double loss = network.output.read_metrics().prediction_loss;
    for (Block* block : std::initializer_list<Block*>{&network.first, &network.second}) {
      const BlockMetrics metrics = block->read_metrics();
      loss += metrics.similarity_loss + metrics.prediction_loss;
    }
    return loss / static_cast<double>(batch.x->view().shape.n);
  };
  struct Parameter {
    Block* block;
    const char* name;
  };
  const std::vector<Parameter> looked_at = {{&network.first, "encoder.weight"}, {&network.first, "bn_pre.weight"},
                                            {&network.second, "encoder.bias"},   {&network.second, "bn_pre.bias"},
                                            {&network.projection, "0.weight"}, {&network.projection, "1.bias"},
                                            {&network.head, "weight"},         {&network.output, "weight"}};
  for (const Parameter& parameter : looked_at) {
    std::map<Block*, std::map<std::string, std::vector<float>>> before;
    for (Block* block : network.blocks()) before[block] = tensors_of(*block);
    step(1);
    std::vector<float> gradient = before[parameter.block][parameter.name];
    const std::vector<float> after = tensors_of(*parameter.block)[parameter.name];
    for (size_t i = 0; i < gradient.size(); ++i) gradient[i] -= after[i];
    for (auto& [block, tensors] : before)  // back to where it was
      for (auto& [name, values] : tensors)
        if (!values.empty()) block->parameters().write(name, values.data(), static_cast<int64_t>(values.size()));
    expect_gradient(*parameter.block, parameter.name, gradient, [&] { return step(0); });
  }
}

TEST(Residual, backpropagation_with_average_pooling) { expect_connected_gradients(false, false); }
TEST(Residual, backpropagation_with_max_pooling) { expect_connected_gradients(false, true); }
TEST(Residual, connected_local_losses) { expect_connected_gradients(true, false); }

TEST(Head, without_affine_only_the_running_statistics_move) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  HeadConfig config;
  config.name = "bn1";
  config.input = {1, 4, 4, 3};
  config.batch_norm = true;
  config.affine = false;
  config.norm_momentum = 0.9;
  config.negative_slope = 0;
  config.average_pool = 4;
  Head head(context, config);
  EXPECT_EQ(head.parameters().parameter_count(), 0u);
  const Batch batch(context, {6, 4, 4, 3}, 3);
  head.train_step(*batch.x, {}, {}, nullptr);
  const auto tensors = tensors_of(head);
  EXPECT_EQ(tensors.at("weight"), std::vector<float>(3, 1.0f));
  EXPECT_EQ(tensors.at("bias"), std::vector<float>(3, 0.0f));
  // Uniform values in [-1, 1): the variance is about a third, and nine tenths of it move in at once.
  for (const float variance : tensors.at("running_var")) EXPECT_NEAR(variance, 0.1 + 0.9 / 3, 0.1);
}

// What lies in the arena when a step begins keeps it from being recorded.
TEST(Head, keeps_nothing_of_a_training_step_of_its_own) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  HeadConfig config;
  config.name = "pool";
  config.input = {1, 4, 4, 3};
  config.average_pool = 4;
  Head head(context, config);
  {
    const Batch batch(context, {6, 4, 4, 3}, 3);
    head.train_step(*batch.x, {}, {}, nullptr);
  }
  EXPECT_TRUE(context->backend().arena().is_empty());
}

}  // namespace
}  // namespace layerwise::testing
