// What oneDNN says that it does in a training step of the CPU: no activation changes its layout, and once every
// shape was seen no primitive is made.
#include <gtest/gtest.h>

#include <cstdio>
#include <sstream>

#include "backend/cpu/cpu_backend.h"
#include "block_support.h"
#include "dnnl.hpp"

namespace layerwise::testing {
namespace {

/// Three convolutions, the first of an image with 3 channels, and two linear layers. All activations have more
/// elements than all weights of convolutions, and than their 16 planes in Winograd's method.
class Network {
 public:
  static constexpr int64_t samples = 64, channels = 16;
  static constexpr int64_t most_weights = 16 * channels * channels;

  Network(Precision precision, const std::string& engine) {
    DeviceOptions options;
    options.threads = 2;
    options.precision = precision;
    options.engine = engine;
    context_ = std::make_shared<Context>(open_device("cpu", options), 7);
    add({1, 8, 8, 3}, false, false);
    add({1, 8, 8, channels}, false, false);
    add({1, 8, 8, channels}, false, true);
    add({1, 4, 4, channels}, true, false);
    add({1, 1, 1, 100}, true, false);
  }

  void step(uint64_t number) {
    context_->set_step(number, 1e-3);
    const Batch batch(context_, {samples, 8, 8, 3}, 3);
    ArenaTensor held;
    const Tensor* x = &batch.x->view();
    for (const auto& block : blocks_) {
      ArenaTensor output = block->train_step(*x, batch.labels, {}, nullptr);
      held = std::move(output);
      x = &held.view();
      EXPECT_GT(x->shape.elements(), most_weights) << "else the test could not tell activations from weights";
    }
  }

 private:
  void add(const Shape& input, bool linear, bool max_pool) {
    const auto index = static_cast<uint32_t>(blocks_.size());
    LocalBlockConfig config =
        linear ? small_linear_block(input, "linear", index) : small_convolution_block("convolution", index);
    config.input = input;
    config.out_channels = linear ? 100 : channels;
    config.max_pool = max_pool;
    blocks_.push_back(std::make_unique<LocalBlock>(context_, config));
  }

  std::shared_ptr<Context> context_;
  std::vector<std::unique_ptr<LocalBlock>> blocks_;
};

/// The lines of oneDNN's log while body() ran, split at commas.
template <class Body>
std::vector<std::vector<std::string>> log_of(const Body& body) {
  dnnl::set_verbose(2);  // makings and executions of primitives
  ::testing::internal::CaptureStdout();
  body();
  std::fflush(stdout);
  std::istringstream log(::testing::internal::GetCapturedStdout());
  dnnl::set_verbose(0);
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(log, line);) {
    if (line.rfind("onednn_verbose", 0) != 0 || line.find(",info,") != std::string::npos) continue;
    std::istringstream fields(line);
    lines.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) lines.back().push_back(field);
  }
  return lines;
}

bool has(const std::vector<std::string>& line, const std::string& begin) {
  for (const std::string& field : line)
    if (field.rfind(begin, 0) == 0) return true;
  return false;
}

/// Of what is reordered: "16x512x128", the field before the time.
int64_t elements_of(const std::vector<std::string>& line) {
  std::istringstream sizes(line.at(line.size() - 2));
  int64_t elements = 1;
  for (std::string size; std::getline(sizes, size, 'x');) elements *= std::stoll(size);
  return elements;
}

std::string joined(const std::vector<std::string>& line) {
  std::string text;
  for (const std::string& field : line) text += field + ",";
  return text;
}

struct Way {
  Precision precision;
  std::string engine;
};
void PrintTo(const Way& way, std::ostream* stream) {
  *stream << (way.precision == Precision::bf16 ? "bf16_" : "f32_") << way.engine;
}

class OnednnLog : public ::testing::TestWithParam<Way> {};

TEST_P(OnednnLog, a_settled_step_reorders_no_activation_and_makes_no_primitive) {
  const Way way = GetParam();
  if (way.precision == Precision::bf16 && !cpu_supports_bfloat16()) GTEST_SKIP() << "this processor has no bfloat16";
  Network network(way.precision, way.engine);
  const auto first = log_of([&] { network.step(0); });
  network.step(1);
  const auto settled = log_of([&] { network.step(2); });

  int created = 0, executed = 0;
  for (const auto& line : first) created += has(line, "create");
  EXPECT_GT(created, 0) << "oneDNN's log does not tell what it makes";
  for (const auto& line : settled) {
    EXPECT_FALSE(has(line, "create")) << joined(line);
    executed += has(line, "exec");
    if (has(line, "exec") && has(line, "reorder")) {
      EXPECT_LE(elements_of(line), Network::most_weights) << joined(line);
    }
    if (way.precision == Precision::bf16 && has(line, "convolution")) {
      EXPECT_TRUE(has(line, "src:bf16")) << joined(line);
    }
  }
  EXPECT_GT(executed, 0) << "oneDNN's log does not tell what it does";
}

INSTANTIATE_TEST_SUITE_P(ways, OnednnLog,
                         ::testing::Values(Way{Precision::f32, "direct"}, Way{Precision::f32, "winograd"},
                                           Way{Precision::bf16, "direct"}, Way{Precision::bf16, "winograd"}),
                         [](const auto& info) { return ::testing::PrintToString(info.param); });

}  // namespace
}  // namespace layerwise::testing
