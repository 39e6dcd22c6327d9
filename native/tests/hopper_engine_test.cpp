// The engine 'hopper' on the device cuda-on-host: what it takes on, that the table of cases reaches all of its kernels, and
// that networks train on it.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/engines/engines.h"
#include "backend/cuda/hopper/hopper.h"
#include "block_support.h"
#include "cuda_on_host/library_stand_in.h"
#include "cuda_on_host/runtime_api.h"
#include "operation_cases.h"

namespace layerwise::test {

namespace {

using cuda::Product;

std::unique_ptr<Backend> make_backend(const std::string& engine, Precision precision = Precision::bf16) {
  DeviceOptions options;
  options.precision = precision;
  options.engine = engine;
  return make_cuda_backend("cuda-on-host", options);
}

/// Launches so far of each kernel of the engine.
std::map<const void*, int64_t> launches_by_kernel() {
  std::map<const void*, int64_t> launches;
  for (const cuda_on_host::LaunchedKernel& kernel : cuda_on_host::launched_kernels())
    if (std::string(kernel.name).find("hopper_") == 0) launches[kernel.kernel] = kernel.launches;
  return launches;
}

int64_t all_launches() {
  int64_t all = 0;
  for (const auto& [kernel, launches] : launches_by_kernel()) all += launches;
  return all;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

cudaDeviceProp card(const char* name, int major, int minor) {
  cudaDeviceProp properties{};
  std::snprintf(properties.name, sizeof properties.name, "%s", name);
  properties.major = major;
  properties.minor = minor;
  return properties;
}

/// vgg-like: two convolutions, the second with everything on, and one output layer.
class SmallNetwork {
 public:
  SmallNetwork(const std::string& engine, const Shape& input, bool learns_to_rebuild) : input_(input) {
    context = std::make_shared<Context>(make_backend(engine), 7);
    LocalBlockConfig first = testing::small_convolution_block("layers.0", 0), second = first;
    first.input = input;
    first.out_channels = 16;
    first.loss.dim_in_decoder = 64;
    second = first;
    second.name = "layers.1";
    second.index = 1;
    second.input = {1, input.h / 2, input.w / 2, 16};
    second.out_channels = 24;
    if (learns_to_rebuild) second.loss.unsupervised = UnsupervisedLoss::recon, second.loss.alpha = 0.5;
    blocks.push_back(std::make_unique<LocalBlock>(context, first));
    blocks.push_back(std::make_unique<LocalBlock>(context, second));
  }

  /// Steps of training on four images; those after the first few are replayed.
  void train(int steps) {
    for (int i = 0; i < steps; ++i) {
      context->set_step(static_cast<uint64_t>(i), 1e-4);
      for (bool again = true; again;) {
        if (context->begin_step(0)) break;
        const testing::Batch batch(context, input_.of_samples(4), 3);
        const ArenaTensor between = blocks[0]->train_step(*batch.x, batch.labels, {}, nullptr);
        blocks[1]->train_step(between, batch.labels, {}, nullptr);
        again = context->end_step();
      }
    }
  }

  std::shared_ptr<Context> context;
  std::vector<std::unique_ptr<LocalBlock>> blocks;

 private:
  Shape input_;
};

}  // namespace

TEST(HopperEngine, is_refused_with_a_sentence_where_it_cannot_work) {
  const auto refusal = [](const cudaDeviceProp& properties, Precision precision) {
    return message_of([&] { cuda::hopper::require_device(properties, precision); });
  };
  EXPECT_EQ(refusal(card("NVIDIA A100", 8, 0), Precision::bf16),
            "the engine 'hopper' needs a GPU of compute capability 9.0, and NVIDIA A100 has 8.0; the engines 'fused' and "
            "'auto' work on it");
  EXPECT_NE(refusal(card("NVIDIA B200", 10, 0), Precision::bf16).find("B200 has 10.0"), std::string::npos);
  EXPECT_NE(refusal(card("NVIDIA H100", 9, 0), Precision::f32).find("precision bf16"), std::string::npos);
  EXPECT_EQ(refusal(card("NVIDIA H100", 9, 0), Precision::bf16), "");
  EXPECT_EQ(refusal(card("NVIDIA H100", 9, 0), Precision::automatic), "") << "which is bfloat16 on a GPU";
  EXPECT_NE(message_of([] { make_backend("hopper", Precision::f32); }).find("bfloat16 only"), std::string::npos);
  EXPECT_NE(message_of([] { make_backend("hoper"); }).find("ask for auto, fused, hopper or cudnn"), std::string::npos);
}

/// Each kind of product, with tiles of 256 and of 128 rows where there are both.
TEST(HopperEngine, runs_all_its_kernels_in_the_table_of_cases) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "takes a minute here; operation_test runs the same cases";
#endif
  const std::unique_ptr<Backend> backend = make_backend("hopper");
  backend->enter();
  for (const OperationCase& operation : cases_in_eights()) {
    const int64_t before = all_launches();
    Operands operands(*backend, 1, DataType::bfloat16);
    operation.run(operands);
    EXPECT_GT(all_launches(), before) << operation.name;
  }
  // forward, data gradient in bfloat16 and float32, hidden gradient: two each; and the weight gradient
  EXPECT_EQ(launches_by_kernel().size(), 9u);
}

TEST(HopperEngine, leaves_other_products_to_fused) {
  const std::unique_ptr<Backend> backend = make_backend("hopper");
  backend->enter();
  const int64_t before = all_launches();
  for (const Geometry& geometry : geometries()) {
    const bool is_its_own = geometry.kernel_height == 3 && geometry.kernel_width == 3 && geometry.stride == 1 &&
                            geometry.padding == 1 && geometry.in_channels % 8 == 0 && geometry.out_channels % 8 == 0;
    if (is_its_own) continue;
    for (const OperationCase& operation : operation_cases()) {
      if (operation.name != "encoder_gradient_" + geometry.name + "_bias_d_x") continue;
      Operands operands(*backend, 1, DataType::bfloat16);
      operation.run(operands);
      EXPECT_TRUE(operands.violations().empty());
    }
  }
  EXPECT_EQ(all_launches(), before);
}

/// As fused does: the same bits each time, and the same losses up to roundings. Five small steps move each weight by 5e-4 at
/// most, so that what differs between the losses is the rounding of activations to 8 bits, of which the sums over a batch keep
/// a fraction.
TEST(HopperEngine, trains_networks_as_fused_does) {
  for (const Shape& input : {Shape{1, 16, 16, 8}, Shape{1, 8, 8, 16}}) {
    const bool rebuilds = input.c == 16;
    SmallNetwork ours("hopper", input, rebuilds), fused("fused", input, rebuilds), again("hopper", input, rebuilds);
    const int64_t before = all_launches();
    ours.train(5);
    EXPECT_GE(all_launches() - before, 3 * 7);
    fused.train(5);
    again.train(5);
    for (size_t b = 0; b < ours.blocks.size(); ++b) {
      EXPECT_EQ(testing::tensors_of(*ours.blocks[b]), testing::tensors_of(*again.blocks[b]));
      const BlockMetrics metrics = ours.blocks[b]->read_metrics(), expected = fused.blocks[b]->read_metrics();
      EXPECT_NEAR(metrics.similarity_loss / expected.similarity_loss, 1, 0x1p-8);
      EXPECT_NEAR(metrics.prediction_loss / expected.prediction_loss, 1, 0x1p-8);
      EXPECT_NEAR(metrics.unsupervised_loss, expected.unsupervised_loss, 0x1p-8 * expected.unsupervised_loss);
    }
  }
}

/// Its results are compared with those of fused on the way, and none differs.
TEST(HopperEngine, takes_part_where_engines_are_chosen) {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const std::string before = cache != nullptr ? cache : "";
  setenv("XDG_CACHE_HOME", ::testing::TempDir().c_str(), 1);
  std::filesystem::remove_all(::testing::TempDir() + "/layerwise");
  cuda_on_host::library_stand_in.under_auto = true;
  {
    SmallNetwork network("auto", {1, 8, 8, 8}, false);
    network.train(4);
    const int64_t launches = all_launches();
    network.train(6);  // the fifth step of a run chooses
    EXPECT_GT(all_launches(), launches);
    const std::string choices = network.context->backend().engine_choices();
    EXPECT_NE(choices.find("convolve 4x8x8x8 weight 16x3x3x8"), std::string::npos) << choices;
    EXPECT_EQ(choices.find("different"), std::string::npos) << choices;
  }
  cuda_on_host::library_stand_in = {};
  if (cache != nullptr)
    setenv("XDG_CACHE_HOME", before.c_str(), 1);
  else
    unsetenv("XDG_CACHE_HOME");
}

}  // namespace layerwise::test
