// Local learning: no gradient travels back, and memory does not grow with depth.
#include <gtest/gtest.h>

#include "block_support.h"

namespace layerwise::testing {
namespace {

DeviceOptions two_threads() {
  DeviceOptions options;
  options.threads = 2;
  return options;
}

class Isolation : public ::testing::TestWithParam<const char*> {};

// The loss of block k + 1 depends on the parameters of block k, and yet leaves their gradients exactly
// zero: with and without it, block k learns the same bits.
TEST_P(Isolation, the_next_loss_leaves_this_block_alone) {
  const auto train_first_block = [&](bool with_next, double* next_loss, float nudge) {
    const auto context = std::make_shared<Context>(open_device(GetParam(), two_threads()), 5);
    LocalBlock block(context, small_convolution_block());
    LocalBlock next(context, small_linear_block({1, 4, 4, 5}));
    std::vector<float> weight = tensors_of(block)["encoder.weight"];
    weight[0] += nudge;
    block.parameters().write("encoder.weight", weight.data(), static_cast<int64_t>(weight.size()));
    for (uint64_t step = 0; step < 4; ++step) {
      context->set_step(step, 1e-2);
      const Batch batch(context, {12, 8, 8, 2}, 3);
      const ArenaTensor output = block.train_step(*batch.x, batch.labels, {}, nullptr);
      if (with_next) next.train_step(output, batch.labels, {}, nullptr);
    }
    *next_loss = next.read_metrics().similarity_loss;
    return tensors_of(block);
  };
  double loss = 0, nudged_loss = 0, none = 0;
  const auto with = train_first_block(true, &loss, 0);
  const auto without = train_first_block(false, &none, 0);
  const auto nudged = train_first_block(true, &nudged_loss, 0.5f);
  EXPECT_NE(loss, nudged_loss) << "the next loss must depend on this block for the test to say anything";
  EXPECT_NE(with.at("encoder.weight"), nudged.at("encoder.weight"));
  EXPECT_EQ(with, without);
}

TEST_P(Isolation, same_seed_same_bits) {
  const auto train = [&] {
    const auto context = std::make_shared<Context>(open_device(GetParam(), two_threads()), 11);
    LocalBlock block(context, small_convolution_block());
    for (uint64_t step = 0; step < 3; ++step) {
      context->set_step(step, 1e-2);
      const Batch batch(context, {33, 8, 8, 2}, 3);
      block.train_step(*batch.x, batch.labels, {}, nullptr);
    }
    return tensors_of(block);
  };
  EXPECT_EQ(train(), train());
}

size_t arena_bytes_of_chain(const char* device, int depth) {
  const auto context = std::make_shared<Context>(open_device(device, two_threads()), 3);
  std::vector<std::unique_ptr<LocalBlock>> blocks;
  for (int i = 0; i < depth; ++i) {
    LocalBlockConfig config = small_convolution_block();
    config.index = static_cast<uint32_t>(i);
    config.input = {1, 8, 8, 5};
    config.max_pool = false;
    blocks.push_back(std::make_unique<LocalBlock>(context, config));
  }
  for (uint64_t step = 0; step < 5; ++step) {
    context->set_step(step, 1e-3);
    const Batch batch(context, {16, 8, 8, 5}, 3);
    ArenaTensor held;
    const Tensor* x = &batch.x->view();
    for (const auto& block : blocks) {
      ArenaTensor output = block->train_step(*x, batch.labels, {}, nullptr);
      held = std::move(output);
      x = &held.view();
    }
  }
  return context->backend().arena().reserved_bytes();
}

TEST_P(Isolation, memory_does_not_grow_with_depth) {
  EXPECT_EQ(arena_bytes_of_chain(GetParam(), 12), arena_bytes_of_chain(GetParam(), 4));
}

INSTANTIATE_TEST_SUITE_P(devices, Isolation, ::testing::Values("reference", "cpu"));

}  // namespace
}  // namespace layerwise::testing
