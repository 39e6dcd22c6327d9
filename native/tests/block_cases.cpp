#include <algorithm>

#include "operation_cases.h"

namespace layerwise::test {

namespace {

/// One block's options and sizes, for the operations on both sides of its nonlinearity.
struct BlockCase {
  std::string name;
  Shape map;
  bool batch_norm = true;
  double negative_slope = 0;
  bool shortcut = false;
  double dropout = 0;
  bool max_pool = false;
  AveragePooling pooling = {};
  bool pooled = false;
  enum class Similarity { none, deviation, flat } similarity = Similarity::none;
  int64_t similarity_kernel = 3;
  bool d_output = false;
  bool d_h = false;  // something else depends on h as well
  int64_t first_sample = 0;        // other processes have the ones before
  int64_t statistics_samples = 0;
};

Shape output_shape(const BlockCase& block) {
  return block.max_pool ? max_pooled(block.map) : block.map;
}

Shape pooled_shape(const BlockCase& block) { return block.pooling.output_shape(block.map); }

/// A seed and a step that fill all their words of the random counter.
void set_step(Operands& operands, int64_t first_sample) {
  StepState state;
  state.seed = 0x123456789abcdef0u;
  state.step = 0x100000007u;
  state.first_sample = first_sample;
  operands.backend().set_step_state(state);
}

void run_normalize_activate(Operands& operands, const BlockCase& block, bool training) {
  set_step(operands, block.first_sample);
  const Shape channels = Shape::vector(block.map.c);
  NormalizeActivate op;
  op.y = operands.activation(block.map);
  if (block.batch_norm) {
    op.mean = operands.parameter(channels, -0.25, 0.25);
    op.variance = operands.parameter(channels, 0.25, 1.25);
    op.scale = operands.parameter(channels, 0.5, 1.5);
    op.shift = operands.parameter(channels, -0.5, 0.5);
    // A lone value has no unbiased variance.
    if (training && std::max(block.map.n, block.statistics_samples) * block.map.positions() > 1) {
      op.running_mean = operands.updated("running_mean", channels, -1, 1, {4, 0, 0});
      op.running_variance = operands.updated("running_variance", channels, 0, 2, {4, 0, 0});
      op.statistics_samples = block.statistics_samples;
    }
  }
  if (block.shortcut) op.shortcut = operands.activation(block.map);
  op.negative_slope = block.negative_slope;
  op.h = operands.activation_output("h", block.map, {4, 0});
  op.average_pooling = block.pooling;
  if (block.pooled) {
    const double window = static_cast<double>(block.pooling.kernel_height * block.pooling.kernel_width);
    op.pooled = operands.activation_output("pooled", pooled_shape(block), {4 + window, 0});
  }
  if (training) op.dropout = {block.dropout, 5};
  op.max_pool = block.max_pool;
  if (op.dropout.probability > 0 || op.max_pool) {
    op.output = operands.activation_output("output", output_shape(block), {5, 0});
  }
  operands.backend().normalize_activate(op);
}

void run_hidden_gradient(Operands& operands, const BlockCase& block) {
  set_step(operands, block.first_sample);
  const Shape& map = block.map;
  const Shape channels = Shape::vector(map.c);
  const double count = static_cast<double>(map.n * map.positions());
  const double fan_in = static_cast<double>(block.similarity_kernel * block.similarity_kernel * map.c);
  const double g_terms = 5 + (block.similarity == BlockCase::Similarity::none ? 0 : fan_in);

  HiddenGradient op;
  op.h = operands.hidden(map, block.negative_slope);
  op.negative_slope = block.negative_slope;
  if (block.similarity != BlockCase::Similarity::none) {
    const int64_t kernel = block.similarity_kernel;
    const Shape weight{map.c, kernel, kernel, map.c};
    op.similarity_convolution = {kernel, kernel, 1, kernel / 2};
    op.similarity_weight = operands.weight(weight);
    op.z = operands.consumed(map);
    if (block.similarity == BlockCase::Similarity::deviation) {
      op.mean = operands.parameter(Shape::matrix(map.n, map.c), -0.25, 0.25);
      op.deviation = operands.parameter_with_zeros(Shape::matrix(map.n, map.c), 0.5, 1.5);
      op.d_deviation = operands.parameter(Shape::matrix(map.n, map.c), -4, 4);
    } else {
      op.d_z = operands.activation(map);
    }
    op.d_similarity_weight = operands.parameter_output("d_similarity_weight", weight, {4 + count, 0});
  }
  op.average_pooling = block.pooling;
  if (block.pooled) op.d_pooled = operands.activation(pooled_shape(block));
  op.dropout = {block.dropout, 5};
  op.max_pool = block.max_pool;
  if (block.d_output) op.d_output = operands.activation(output_shape(block));
  if (block.d_h) op.d_h = operands.activation(map);
  op.g = operands.activation_output("g", map, {g_terms, 0});
  if (block.batch_norm) {
    op.y = operands.activation(map);
    op.mean_y = operands.parameter(channels, -0.25, 0.25);
    op.variance_y = operands.parameter(channels, 0.25, 1.25);
    op.d_scale = operands.parameter_output("d_scale", channels, {g_terms + count, 0});
    op.d_shift = operands.parameter_output("d_shift", channels, {g_terms + count, 0});
  }
  operands.backend().hidden_gradient(op);
}

BlockCase block_case(const std::string& name, const Shape& map, const std::function<void(BlockCase&)>& change) {
  BlockCase block;
  block.name = name;
  block.map = map;
  change(block);
  return block;
}

std::vector<BlockCase> block_cases() {
  using Similarity = BlockCase::Similarity;
  const double leaky = 0.01;
  return {
      block_case("plain", {2, 6, 6, 16}, [](BlockCase& b) { b.d_output = true; }),
      block_case("no_batch_norm", {3, 5, 7, 5},
                 [&](BlockCase& b) { b.batch_norm = false, b.negative_slope = leaky, b.d_output = true; }),
      block_case("identity_activation", {2, 3, 3, 2}, [](BlockCase& b) { b.negative_slope = 1, b.d_output = true; }),
      block_case("shortcut", {2, 7, 5, 33}, [](BlockCase& b) { b.shortcut = true, b.d_output = true; }),
      block_case("dropout", {5, 4, 4, 33},
                 [&](BlockCase& b) { b.dropout = 0.25, b.negative_slope = leaky, b.d_output = true; }),
      block_case("dropout_of_elements", {33, 1, 1, 100}, [](BlockCase& b) { b.dropout = 0.5, b.d_output = true; }),
      block_case("dropout_of_later_samples", {5, 4, 4, 33},
                 [](BlockCase& b) { b.dropout = 0.25, b.d_output = true, b.first_sample = 6, b.statistics_samples = 15; }),
      block_case("dropout_of_later_samples_in_eights", {3, 2, 2, 24},
                 [](BlockCase& b) { b.dropout = 0.25, b.d_output = true, b.first_sample = 7, b.statistics_samples = 11; }),
      block_case("statistics_of_more_samples", {1, 1, 1, 5},
                 [](BlockCase& b) { b.d_output = true, b.statistics_samples = 2; }),
      block_case("max_pool", {2, 8, 8, 16}, [](BlockCase& b) { b.max_pool = true, b.d_output = true; }),
      block_case("max_pool_odd", {3, 5, 7, 3},
                 [&](BlockCase& b) { b.max_pool = true, b.negative_slope = leaky, b.d_output = true; }),
      block_case("max_pool_dropout", {3, 9, 6, 5},
                 [](BlockCase& b) { b.max_pool = true, b.dropout = 0.375, b.d_output = true; }),
      block_case("max_pool_2x2", {1, 2, 2, 16}, [](BlockCase& b) { b.max_pool = true, b.d_output = true; }),
      block_case("one_sample_1x1", {1, 1, 1, 5}, [](BlockCase& b) { b.d_output = true; }),
      block_case("nothing_flows_back", {2, 4, 4, 3}, [](BlockCase&) {}),
      block_case("classifier", {3, 8, 8, 16}, [](BlockCase& b) { b.pooled = true, b.pooling = {4, 4, 0, 0}; }),
      block_case("classifier_padded", {2, 7, 7, 5}, [&](BlockCase& b) {
        b.pooled = true, b.pooling = {4, 2, 2, 1}, b.negative_slope = leaky;
      }),
      block_case("classifier_unpooled", {4, 3, 3, 16}, [](BlockCase& b) { b.pooled = true; }),
      block_case("classifier_whole_map", {3, 5, 5, 33},
                 [](BlockCase& b) { b.pooled = true, b.pooling = {8, 8, 4, 4}; }),
      block_case("similarity_deviation", {3, 6, 6, 16}, [](BlockCase& b) { b.similarity = Similarity::deviation; }),
      block_case("similarity_deviation_odd", {2, 5, 7, 5}, [&](BlockCase& b) {
        b.similarity = Similarity::deviation, b.negative_slope = leaky;
      }),
      block_case("similarity_flat", {2, 5, 4, 3}, [](BlockCase& b) { b.similarity = Similarity::flat; }),
      block_case("similarity_map_2x2", {2, 2, 2, 33}, [](BlockCase& b) { b.similarity = Similarity::deviation; }),
      block_case("similarity_linear", {33, 1, 1, 100}, [&](BlockCase& b) {
        b.similarity = Similarity::flat, b.similarity_kernel = 1, b.negative_slope = leaky;
      }),
      block_case("similarity_no_batch_norm", {2, 4, 4, 5}, [](BlockCase& b) {
        b.similarity = Similarity::deviation, b.batch_norm = false;
      }),
      block_case("reconstruction", {2, 5, 7, 16}, [](BlockCase& b) { b.d_h = true; }),
      block_case("reconstruction_linear", {9, 1, 1, 33}, [&](BlockCase& b) {
        b.d_h = true, b.batch_norm = false, b.negative_slope = leaky;
      }),
      block_case("reconstruction_similarity", {3, 6, 5, 5}, [&](BlockCase& b) {
        b.d_h = true, b.similarity = Similarity::deviation, b.negative_slope = leaky;
      }),
      block_case("predsim_linear", {7, 1, 1, 33}, [&](BlockCase& b) {
        b.similarity = Similarity::flat, b.similarity_kernel = 1, b.pooled = true, b.negative_slope = leaky;
        b.dropout = 0.125;
      }),
      block_case("predsim_vgg", {5, 16, 16, 32}, [&](BlockCase& b) {
        b.similarity = Similarity::deviation, b.pooled = true, b.pooling = {2, 2, 0, 0}, b.max_pool = true;
        b.dropout = 0.25, b.negative_slope = leaky;
      }),
      block_case("everything", {3, 7, 5, 16}, [&](BlockCase& b) {
        b.similarity = Similarity::deviation, b.pooled = true, b.pooling = {2, 2, 1, 1}, b.max_pool = true;
        b.dropout = 0.25, b.negative_slope = leaky, b.d_output = true, b.shortcut = true, b.d_h = true;
      }),
  };
}

}  // namespace

void add_many_tile_block_cases(std::vector<OperationCase>& cases) {
  // 136 tiles of g
  const auto predsim = [](BlockCase& b) {
    b.similarity = BlockCase::Similarity::deviation, b.similarity_kernel = 1;
    b.pooled = true, b.pooling = {4, 4, 0, 0}, b.max_pool = true, b.dropout = 0.25, b.negative_slope = 0.01;
  };
  const BlockCase block = block_case("many_tiles_predsim", {17, 32, 32, 72}, predsim);
  cases.push_back({"hidden_gradient_" + block.name,
                   [=](Operands& operands) { run_hidden_gradient(operands, block); }});
  BlockCase flat = block_case("many_tiles_flat_no_batch_norm", {17, 32, 32, 72}, predsim);
  flat.similarity = BlockCase::Similarity::flat;
  flat.batch_norm = false;
  cases.push_back({"hidden_gradient_" + flat.name, [=](Operands& operands) { run_hidden_gradient(operands, flat); }});
  // 136 tall tiles of g
  const BlockCase tall = block_case("tall_tiles_predsim", {17, 32, 32, 256}, predsim);
  cases.push_back({"hidden_gradient_" + tall.name, [=](Operands& operands) { run_hidden_gradient(operands, tall); }});
}

void add_block_cases_in_eights(std::vector<OperationCase>& cases) {
  const auto everything = [](BlockCase& b) {
    b.similarity = BlockCase::Similarity::deviation, b.pooled = true, b.pooling = {2, 2, 0, 0}, b.max_pool = true;
    b.dropout = 0.25, b.negative_slope = 0.01, b.d_output = true, b.d_h = true;
  };
  const auto little = [](BlockCase& b) { b.similarity = BlockCase::Similarity::flat, b.batch_norm = false; };
  for (const auto& [name, map] : {std::pair<std::string, Shape>{"16x16", {3, 16, 16, 40}},
                                  {"8x8", {5, 8, 8, 136}},
                                  {"8x48", {2, 8, 48, 16}},
                                  {"4x4", {7, 4, 4, 24}},
                                  {"odd", {3, 7, 5, 16}}}) {
    const BlockCase all = block_case("eights_" + name, map, everything);
    cases.push_back({"hidden_gradient_" + all.name, [=](Operands& operands) { run_hidden_gradient(operands, all); }});
    const BlockCase plain = block_case("eights_plain_" + name, map, little);
    cases.push_back({"hidden_gradient_" + plain.name, [=](Operands& operands) { run_hidden_gradient(operands, plain); }});
  }
}

void add_block_cases(std::vector<OperationCase>& cases) {
  for (const BlockCase& block : block_cases()) {
    cases.push_back({"normalize_activate_" + block.name,
                     [=](Operands& operands) { run_normalize_activate(operands, block, true); }});
    cases.push_back({"normalize_activate_evaluation_" + block.name,
                     [=](Operands& operands) { run_normalize_activate(operands, block, false); }});
    cases.push_back({"hidden_gradient_" + block.name,
                     [=](Operands& operands) { run_hidden_gradient(operands, block); }});
  }
}

}  // namespace layerwise::test
