// The gradients of whole blocks against central differences, on the reference backend in double.
#include <gtest/gtest.h>

#include <cmath>

#include "block_support.h"

namespace layerwise::testing {
namespace {

struct GradientCase {
  const char* name;
  LocalBlockConfig config;
};

void PrintTo(const GradientCase& gradient_case, std::ostream* out) { *out << gradient_case.name; }

std::vector<GradientCase> gradient_cases() {
  std::vector<GradientCase> cases;
  const auto add = [&](const char* name, LocalBlockConfig config) { cases.push_back({name, std::move(config)}); };
  LocalBlockConfig config = small_convolution_block();
  add("conv_predsim", config);
  config.loss.loss = LocalLoss::pred;
  add("conv_pred", config);
  config.loss.label_smoothing = 0.3;
  add("conv_pred_smoothed", config);
  config.loss.label_smoothing = 0;
  config.loss.loss = LocalLoss::sim;
  add("conv_sim", config);
  config.loss.similarity_std = false;
  add("conv_sim_flat", config);
  config = small_convolution_block();
  config.batch_norm = false;
  config.negative_slope = 0;
  add("conv_relu_no_batch_norm", config);
  config = small_convolution_block();
  config.convolution = {7, 7, 2, 3};
  config.bias = false;
  add("conv_7x7_stride_2_no_bias", config);
  config = small_linear_block({1, 8, 8, 2});
  add("linear_predsim_over_map", config);
  config.batch_norm = false;
  config.loss.loss = LocalLoss::sim;
  add("linear_sim_no_batch_norm", config);
  config = small_convolution_block();
  config.loss.unsupervised = UnsupervisedLoss::sim;
  config.loss.alpha = 0.3;
  add("conv_predsim_and_similarity_to_input", config);
  config.loss.loss = LocalLoss::pred;
  add("conv_pred_and_similarity_to_input", config);
  config.loss.unsupervised = UnsupervisedLoss::recon;
  add("conv_pred_and_reconstruction", config);
  config = small_linear_block({1, 1, 1, 9});
  config.loss.unsupervised = UnsupervisedLoss::recon;
  config.loss.alpha = 0.6;
  add("linear_predsim_and_reconstruction", config);
  config = small_convolution_block();
  config.loss.loss = LocalLoss::sim;  // feedback alignment, under bio pred, is no gradient of a loss
  config.loss.bio = true;
  config.loss.target_proj_size = 6;
  add("conv_bio_sim", config);
  config.loss.similarity_std = false;
  add("conv_bio_sim_flat", config);
  return cases;
}

// The block's total loss for its present parameters.
double loss_of(LocalBlock& block, const Batch& batch, const LocalLossConfig& loss, const Tensor& shortcut) {
  block.read_metrics();
  block.inspect(*batch.x, batch.labels, shortcut);
  const BlockMetrics metrics = block.read_metrics();
  return (loss.alpha * metrics.unsupervised_loss +
          (1 - loss.alpha) * (metrics.similarity_loss + metrics.prediction_loss)) / metrics.samples;
}

class BlockGradient : public ::testing::TestWithParam<GradientCase> {};

TEST_P(BlockGradient, agrees_with_central_differences) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  LocalBlock block(context, GetParam().config);
  const Shape& input = GetParam().config.input;
  const Batch batch(context, {6, input.h, input.w, input.c}, 3);
  // A classifier that starts at zero has no gradient to pass on: give it weights.
  std::map<std::string, std::vector<float>> tensors = tensors_of(block);
  uint32_t stream = 10;
  for (const char* name : {"decoder_y.weight", "decoder_y.bias"}) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) continue;
    found->second = random_values(static_cast<int64_t>(found->second.size()), stream++);
    block.parameters().write(name, found->second.data(), static_cast<int64_t>(found->second.size()));
  }
  const Inspection inspection = block.inspect(*batch.x, batch.labels, {});

  // With h = 2⁻²⁰ the quotient errs by some 1e-12 times the third derivative and by the double rounding of
  // a loss of order 1 over h, 1e-10; a step that small crosses no kink of the nonlinearity here. The
  // gradient is read as float32: 6e-8. 2e-6 of the largest entry covers them, while a missing term of any
  // formula is of the order of the gradient itself.
  const float step = 1.0f / (1 << 20);
  for (size_t number = 0; number < block.parameters().parameter_count(); ++number) {
    const std::string& name = block.parameters().parameter_name(number);
    std::vector<float> values = tensors[name];
    const std::vector<float>& gradient = inspection.at("grad." + name);
    const int64_t count = static_cast<int64_t>(values.size());
    ASSERT_EQ(gradient.size(), values.size()) << name;
    double largest = 0;
    for (const float g : gradient) largest = std::max(largest, static_cast<double>(std::fabs(g)));
    const size_t stride = values.size() > 40 ? values.size() / 23 : 1;
    for (size_t i = 0; i < values.size(); i += stride) {
      const float original = values[i];
      values[i] = original + step;
      const double above = values[i];
      block.parameters().write(name, values.data(), count);
      const double loss_above = loss_of(block, batch, GetParam().config.loss, {});
      values[i] = original - step;
      const double below = values[i];
      block.parameters().write(name, values.data(), count);
      const double loss_below = loss_of(block, batch, GetParam().config.loss, {});
      values[i] = original;
      const double quotient = (loss_above - loss_below) / (above - below);
      const double error = std::fabs(quotient - gradient[i]);
      EXPECT_TRUE(error <= 2e-6 * std::max(largest, 1e-2))
          << name << "[" << i << "]: gradient " << gradient[i] << ", difference quotient " << quotient;
    }
    block.parameters().write(name, values.data(), count);
  }
}

INSTANTIATE_TEST_SUITE_P(cases, BlockGradient, ::testing::ValuesIn(gradient_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

// The gradient at a shortcut: the loss as a function of one of its elements.
TEST(Shortcut, agrees_with_central_differences) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  const LocalBlockConfig config = small_convolution_block();
  LocalBlock block(context, config);
  const Batch batch(context, {6, 8, 8, 2}, 3);
  const Shape shape{6, 8, 8, 5};
  const ArenaTensor shortcut = context->backend().arena().take(DataType::float64, shape);
  std::vector<float> values = random_values(shape.elements(), 5);
  upload(context->backend(), values.data(), shortcut);
  const std::vector<float> gradient = block.inspect(*batch.x, batch.labels, shortcut).at("grad.shortcut");
  const float step = 1.0f / (1 << 20);
  for (size_t i = 0; i < values.size(); i += 97) {
    const float original = values[i];
    values[i] = original + step;
    upload(context->backend(), values.data(), shortcut);
    const double above = loss_of(block, batch, config.loss, shortcut);
    values[i] = original - step;
    upload(context->backend(), values.data(), shortcut);
    const double below = loss_of(block, batch, config.loss, shortcut);
    values[i] = original;
    // Rounding of values near 1 to float32 moves the two points by up to 6e-8 of a distance of 2e-6.
    const double distance = static_cast<double>(original + step) - static_cast<double>(original - step);
    EXPECT_TRUE(std::fabs((above - below) / distance - gradient[i]) <= 1e-8) << i;
  }
}

// Block 1 learns from block 2's loss, and from its own if it has one.
void check_chain_of_two(bool first_has_loss) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  LocalBlockConfig first = small_convolution_block();
  first.optimizer.optim = LAYERWISE_OPTIM_SGD;
  if (!first_has_loss) first.loss.loss = LocalLoss::none;
  LocalBlockConfig second = small_linear_block({1, 4, 4, 5});
  second.optimizer.optim = LAYERWISE_OPTIM_SGD;
  LocalBlock block1(context, first), block2(context, second);
  const Batch batch(context, {6, 8, 8, 2}, 3);

  // With learning rate 0 nothing changes: only the losses are wanted.
  const auto step_both = [&](double learning_rate) {
    context->set_step(0, learning_rate);
    block1.read_metrics();
    block2.read_metrics();
    const Activation h1 = block1.forward(batch.x, batch.labels, {});
    const Activation h2 = block2.forward(h1, batch.labels, {});
    const PassedOn back = block2.backward({}, true, false);
    block1.backward(back.d_input, false, false);
    const BlockMetrics m1 = block1.read_metrics(), m2 = block2.read_metrics();
    return (m1.similarity_loss + m1.prediction_loss + m2.similarity_loss + m2.prediction_loss) / m1.samples;
  };
  std::vector<float> values = tensors_of(block1)["encoder.weight"];
  const int64_t count = static_cast<int64_t>(values.size());
  const float step = 1.0f / (1 << 20);
  std::vector<double> quotients;
  for (size_t i = 0; i < values.size(); i += 7) {
    const float original = values[i];
    values[i] = original + step;
    block1.parameters().write("encoder.weight", values.data(), count);
    const double above = step_both(0);
    values[i] = original - step;
    block1.parameters().write("encoder.weight", values.data(), count);
    const double below = step_both(0);
    quotients.push_back((above - below) / (static_cast<double>(original + step) - (original - step)));
    values[i] = original;
  }
  block1.parameters().write("encoder.weight", values.data(), count);
  step_both(1);
  const std::vector<float> updated = tensors_of(block1)["encoder.weight"];
  for (size_t i = 0, k = 0; i < values.size(); i += 7, ++k) {
    const double gradient = static_cast<double>(values[i]) - updated[i];
    // The updated weight is read as float32, of order 1: 6e-8.
    EXPECT_TRUE(std::fabs(gradient - quotients[k]) <= 2e-7) << i << ": " << gradient << " " << quotients[k];
  }
}

// Local losses whose gradients flow back (no_detach).
TEST(NoDetach, agrees_with_central_differences) { check_chain_of_two(true); }

// Two blocks with one loss (blocks_per_loss).
TEST(LossGroup, agrees_with_central_differences) { check_chain_of_two(false); }

// What is reported: of training the smoothed loss, of evaluation the plain one.
TEST(LabelSmoothing, is_in_the_losses_of_training_alone) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  OutputLayerConfig config;
  config.name = "output";
  config.input = {1, 1, 1, 7};
  config.classes = 3;
  config.zero_start = false;
  OutputLayer plain(context, config);
  config.label_smoothing = 0.6;
  OutputLayer smoothed(context, config);
  LocalBlockConfig block_config = small_linear_block({1, 1, 1, 7});
  block_config.loss.loss = LocalLoss::pred;
  LocalBlock plain_block(context, block_config);
  block_config.loss.label_smoothing = 0.6;
  LocalBlock smoothed_block(context, block_config);
  const std::vector<float> decoder = random_values(21, 5);  // it starts at zero, where all targets cost log 3
  for (LocalBlock* block : {&plain_block, &smoothed_block}) block->parameters().write("decoder_y.weight", decoder.data(), 21);
  const Batch batch(context, {6, 1, 1, 7}, 3);
  for (const auto& [without, with] :
       {std::pair<Block*, Block*>{&plain, &smoothed}, std::pair<Block*, Block*>{&plain_block, &smoothed_block}}) {
    without->inspect(*batch.x, batch.labels, {});
    with->inspect(*batch.x, batch.labels, {});
    EXPECT_GT(std::fabs(without->read_metrics().prediction_loss - with->read_metrics().prediction_loss), 1e-3);
    without->evaluate(*batch.x, batch.labels, {});
    with->evaluate(*batch.x, batch.labels, {});
    EXPECT_EQ(without->read_metrics().prediction_loss, with->read_metrics().prediction_loss);
  }
}

// Backpropagation through a convolution block, a linear block and the output layer: with SGD at learning
// rate 1 and no momentum the update is the gradient.
TEST(Backpropagation, agrees_with_central_differences) {
  const auto context = std::make_shared<Context>(open_device("reference", {}), 7);
  LocalBlockConfig first = small_convolution_block();
  first.loss.loss = LocalLoss::none;
  first.optimizer.optim = LAYERWISE_OPTIM_SGD;
  LocalBlockConfig second = small_linear_block({1, 4, 4, 5});
  second.loss.loss = LocalLoss::none;
  second.optimizer.optim = LAYERWISE_OPTIM_SGD;
  OutputLayerConfig last;
  last.name = "output";
  last.index = 2;
  last.input = {1, 1, 1, 7};
  last.classes = 3;
  last.zero_start = false;
  last.optimizer.optim = LAYERWISE_OPTIM_SGD;
  LocalBlock block1(context, first), block2(context, second);
  OutputLayer output(context, last);
  const Batch batch(context, {6, 8, 8, 2}, 3);

  const auto loss = [&] {
    output.read_metrics();
    const Activation h1 = block1.forward(batch.x, {}, {});
    const Activation h2 = block2.forward(h1, {}, {});
    context->set_step(0, 0);  // no update: only the loss is wanted
    output.forward(h2, batch.labels, {});
    output.backward({}, false, false);
    return output.read_metrics().prediction_loss / static_cast<double>(batch.x->view().shape.n);
  };

  std::vector<float> values = tensors_of(block1)["encoder.weight"];
  const int64_t count = static_cast<int64_t>(values.size());
  const float step = 1.0f / (1 << 20);
  std::vector<double> quotients;
  for (size_t i = 0; i < values.size(); i += 7) {
    const float original = values[i];
    values[i] = original + step;
    const double above = values[i];
    block1.parameters().write("encoder.weight", values.data(), count);
    const double loss_above = loss();
    values[i] = original - step;
    const double below = values[i];
    block1.parameters().write("encoder.weight", values.data(), count);
    const double loss_below = loss();
    values[i] = original;
    quotients.push_back((loss_above - loss_below) / (above - below));
  }
  block1.parameters().write("encoder.weight", values.data(), count);

  const Activation h1 = block1.forward(batch.x, {}, {});
  const Activation h2 = block2.forward(h1, {}, {});
  context->set_step(0, 1);
  output.forward(h2, batch.labels, {});
  const PassedOn d2 = output.backward({}, true, false);
  const PassedOn d1 = block2.backward(d2.d_input, true, false);
  block1.backward(d1.d_input, false, false);
  const std::vector<float> updated = tensors_of(block1)["encoder.weight"];
  for (size_t i = 0, k = 0; i < values.size(); i += 7, ++k) {
    const double gradient = static_cast<double>(values[i]) - updated[i];
    // The updated weight is read as float32, of order 1: 6e-8.
    EXPECT_TRUE(std::fabs(gradient - quotients[k]) <= 2e-7) << i << ": " << gradient << " " << quotients[k];
  }
}

}  // namespace
}  // namespace layerwise::testing
