#include "operation_cases.h"

namespace layerwise::test {

namespace {

using Moments = ConvolutionForward::Moments;

void run_moments(Operands& operands, const Shape& x, Moments moments) {
  const bool per_sample = moments == Moments::sample_channel;
  const Shape shape = per_sample ? Shape::matrix(x.n, x.c) : Shape::vector(x.c);
  const double count = static_cast<double>(per_sample ? x.positions() : x.n * x.positions());
  MomentsOfTensor op;
  op.moments = moments;
  op.x = operands.activation(x, -0.5, 1);
  op.mean = operands.parameter_output("mean", shape, {count, 0, 0});
  op.spread = operands.parameter_output(per_sample ? "deviation" : "variance", shape, {count, 0, 0});
  operands.backend().moments_of_tensor(op);
}

void run_deviation_gradient(Operands& operands, const Shape& x) {
  const Shape matrix = Shape::matrix(x.n, x.c);
  DeviationGradient op;
  op.x = operands.activation(x);
  op.mean = operands.parameter(matrix, -0.25, 0.25);
  op.deviation = operands.parameter_with_zeros(matrix, 0.5, 1.5);
  op.d_deviation = operands.parameter(matrix, -4, 4);
  op.d_x = operands.activation_output("d_x", x, {4, 0});
  operands.backend().deviation_gradient(op);
}

void run_add_tensor(Operands& operands, const Shape& shape) {
  AddTensor op;
  op.addend = operands.activation(shape);
  op.sum = operands.updated_activation("sum", shape, {1, 0});
  operands.backend().add_tensor(op);
}

void run_batch_norm_gradient(Operands& operands, const Shape& shape, bool with_addend) {
  const Shape vector = Shape::vector(shape.c);
  BatchNormGradient op;
  op.g = operands.activation(shape);
  op.y = operands.activation(shape);
  op.mean = operands.parameter(vector, -0.25, 0.25);
  op.variance = operands.parameter(vector, 0.5, 1.5);
  op.scale = operands.parameter(vector, 0.5, 1.5);
  op.d_scale = operands.parameter(vector, -1, 1);
  op.d_shift = operands.parameter(vector, -1, 1);
  if (with_addend) op.addend = operands.activation(shape);
  op.d_y = operands.activation_output("d_y", shape, {8, 1});
  operands.backend().batch_norm_gradient(op);
}

void run_drop_elements(Operands& operands, const Shape& shape, int64_t first_sample) {
  operands.backend().set_step_state({11, 5, 0, first_sample});
  DropElements op;
  op.x = operands.activation(shape);
  op.dropout = {0.3, 7};
  op.output = operands.activation_output("output", shape, {1, 0});
  operands.backend().drop_elements(op);
}

}  // namespace

void add_tensor_cases(std::vector<OperationCase>& cases) {
  struct Sizes {
    std::string name;
    Shape shape;
  };
  const std::vector<Sizes> maps = {
      {"map_2x1", {1, 2, 1, 1}},  {"map_2x2", {4, 2, 2, 33}},       {"three_channels", {3, 9, 7, 3}},
      {"usual", {5, 8, 8, 16}},   {"several_tiles", {5, 16, 16, 64}}, {"wide", {2, 3, 3, 100}},
  };
  const std::vector<Sizes> vectors = {{"one_element", {1, 1, 1, 1}}, {"vectors", {33, 1, 1, 100}}};
  const auto add_case = [&](const std::string& what, const Sizes& one, const auto& run) {
    cases.push_back({what + one.name, [=](Operands& operands) { run(operands, one.shape); }});
  };
  const auto channel_moments = [](Operands& operands, const Shape& x) { run_moments(operands, x, Moments::channel); };
  const auto sample_moments = [](Operands& operands, const Shape& x) {
    run_moments(operands, x, Moments::sample_channel);
  };
  for (const Sizes& one : maps) {
    add_case("moments_of_tensor_channel_", one, channel_moments);
    add_case("moments_of_tensor_sample_", one, sample_moments);
    add_case("deviation_gradient_", one, run_deviation_gradient);
    add_case("add_tensor_", one, run_add_tensor);
    add_case("batch_norm_gradient_", one, [](Operands& o, const Shape& s) { run_batch_norm_gradient(o, s, false); });
    add_case("batch_norm_gradient_added_", one,
             [](Operands& o, const Shape& s) { run_batch_norm_gradient(o, s, true); });
    add_case("drop_elements_", one, [](Operands& operands, const Shape& x) { run_drop_elements(operands, x, 0); });
    add_case("drop_elements_of_later_samples_", one,
             [](Operands& operands, const Shape& x) { run_drop_elements(operands, x, 5); });
  }
  for (const Sizes& one : vectors) add_case("add_tensor_", one, run_add_tensor);
  add_case("moments_of_tensor_channel_", vectors.back(), channel_moments);
}

}  // namespace layerwise::test
