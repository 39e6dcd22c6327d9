#include "operation_cases.h"

namespace layerwise::test {

namespace {

using Moments = ConvolutionForward::Moments;

void run_forward(Operands& operands, const Geometry& geometry, Moments moments, bool bias) {
  const Shape out = geometry.out();
  const double positions = static_cast<double>(out.positions());
  ConvolutionForward op;
  op.convolution = geometry.convolution();
  op.x = operands.activation(geometry.in());
  op.weight = operands.weight(geometry.weight());
  if (bias) op.bias = operands.parameter(Shape::vector(out.c), -0.25, 0.25);
  op.y = operands.activation_output("y", out, {geometry.fan_in() + 1});
  op.moments = moments;
  // Those of y as it is stored are one rounding away from those of the sums.
  if (moments == Moments::channel) {
    const Tolerance tolerance{geometry.fan_in() + static_cast<double>(out.n) * positions, 0, 1};
    op.mean = operands.parameter_output("mean", Shape::vector(out.c), tolerance);
    op.spread = operands.parameter_output("variance", Shape::vector(out.c), tolerance);
  } else if (moments == Moments::sample_channel) {
    const Tolerance tolerance{geometry.fan_in() + positions, 0, 1};
    op.mean = operands.parameter_output("mean", Shape::matrix(out.n, out.c), tolerance);
    op.spread = operands.parameter_output("deviation", Shape::matrix(out.n, out.c), tolerance);
  }
  operands.backend().convolution_forward(op);
}

enum class InputGradient { absent, separate, in_place };  // of batch norm: d_y, in place of g or not

void run_encoder_gradient(Operands& operands, const Geometry& geometry, bool batch_norm, bool bias, bool d_x,
                          InputGradient d_y) {
  const Shape out = geometry.out();
  const Shape channels = Shape::vector(out.c);
  const double count = static_cast<double>(out.n * out.positions());
  EncoderGradient op;
  op.convolution = geometry.convolution();
  op.x = operands.activation(geometry.in());
  op.weight = operands.weight(geometry.weight());
  const Tolerance d_y_tolerance{batch_norm ? 4.0 : 0.0, 0};
  op.g = d_y == InputGradient::in_place ? operands.updated_activation("d_y", out, d_y_tolerance)
                                        : operands.consumed(out);
  if (d_y == InputGradient::in_place) op.d_y = op.g;
  if (d_y == InputGradient::separate) op.d_y = operands.activation_output("d_y", out, d_y_tolerance);
  if (batch_norm) {
    op.y = operands.activation(out);
    op.mean = operands.parameter(channels, -0.25, 0.25);
    op.variance = operands.parameter(channels, 0.25, 1.25);
    op.scale = operands.parameter(channels, 0.5, 1.5);
    op.d_scale = operands.parameter(channels);
    op.d_shift = operands.parameter(channels);
  }
  op.d_weight = operands.parameter_output("d_weight", geometry.weight(), {count, 0});
  if (bias) op.d_bias = operands.parameter_output("d_bias", channels, {batch_norm ? 0 : count, 0});
  if (d_x) {
    const double terms = static_cast<double>(op.convolution.kernel_height * op.convolution.kernel_width * out.c);
    op.d_x = operands.activation_output("d_x", geometry.in(), {terms, 0});
  }
  operands.backend().encoder_gradient(op);
}

}  // namespace

void add_convolution_cases(std::vector<OperationCase>& cases) {
  for (const Geometry& geometry : geometries()) {
    const Shape out = geometry.out();
    const auto forward = [&](const std::string& what, Moments moments, bool bias) {
      cases.push_back({"convolution_forward_" + geometry.name + what,
                       [=](Operands& operands) { run_forward(operands, geometry, moments, bias); }});
    };
    forward("_bias", Moments::none, true);
    if (out.n * out.positions() > 1) forward("_channel_moments", Moments::channel, true);
    // One position has no unbiased standard deviation.
    if (out.positions() > 1) forward("_sample_moments", Moments::sample_channel, false);
    if (out.positions() == 1) forward("", Moments::none, false);

    const auto gradient = [&](const std::string& what, bool batch_norm, bool bias, bool d_x,
                              InputGradient d_y = InputGradient::absent) {
      cases.push_back({"encoder_gradient_" + geometry.name + what, [=](Operands& operands) {
        run_encoder_gradient(operands, geometry, batch_norm, bias, d_x, d_y);
      }});
    };
    gradient("_batch_norm_bias", true, true, false);
    gradient("_batch_norm_d_x", true, false, true);
    gradient("_bias_d_x", false, true, true);
    gradient("", false, false, false);
    gradient("_batch_norm_d_y", true, true, false, InputGradient::separate);
    gradient("_batch_norm_d_x_d_y_in_place", true, false, true, InputGradient::in_place);
    gradient("_bias_d_x_d_y", false, true, true, InputGradient::separate);
    gradient("_bias_d_y_in_place", false, true, false, InputGradient::in_place);
  }
}

void add_convolution_cases_in_eights(std::vector<OperationCase>& cases) {
  // Regions of 16×16, 8×16, 8×8 and 16×8 positions, maps without regions; one column of tiles and several, whole and not;
  // several tiles for a block (the device has four multiprocessors), sums in one piece and in several.
  const std::vector<Geometry> all = {
      {"regions_16x16", 2, 16, 16, 40, 24, 3, 3, 1, 1},  {"regions_8x16", 3, 8, 16, 72, 128, 3, 3, 1, 1},
      {"regions_8x8", 5, 8, 8, 8, 136, 3, 3, 1, 1},      {"regions_16x8", 1, 16, 24, 136, 8, 3, 3, 1, 1},
      {"lines_of_32", 1, 32, 32, 16, 16, 3, 3, 1, 1},    {"many_regions", 6, 16, 16, 32, 256, 3, 3, 1, 1},
      {"apart_4x4", 5, 4, 4, 16, 32, 3, 3, 1, 1},        {"apart_odd", 3, 7, 9, 24, 40, 3, 3, 1, 1},
      {"apart_2x2", 7, 2, 2, 136, 144, 3, 3, 1, 1},      {"apart_1x1", 3, 1, 1, 8, 16, 3, 3, 1, 1}};
  for (const Geometry& geometry : all) {
    const auto forward = [&](const std::string& what, Moments moments, bool bias) {
      cases.push_back({"convolution_forward_" + geometry.name + what,
                       [=](Operands& operands) { run_forward(operands, geometry, moments, bias); }});
    };
    forward("_bias", Moments::none, true);
    forward("_channel_moments", Moments::channel, true);
    if (geometry.out().positions() > 1) forward("_sample_moments", Moments::sample_channel, false);
    const auto gradient = [&](const std::string& what, bool batch_norm, bool d_x) {
      cases.push_back({"encoder_gradient_" + geometry.name + what, [=](Operands& operands) {
        run_encoder_gradient(operands, geometry, batch_norm, !batch_norm, d_x, InputGradient::absent);
      }});
    };
    gradient("_d_x", false, true);
    gradient("_batch_norm", true, false);
  }
}

void add_many_tile_convolution_cases(std::vector<OperationCase>& cases) {
  // 61 × 2 tiles of y
  const Geometry forward{"many_tiles", 8, 31, 31, 16, 256, 3, 3, 1, 1};
  cases.push_back({"convolution_forward_many_tiles_channel_moments",
                   [=](Operands& operands) { run_forward(operands, forward, Moments::channel, true); }});
  cases.push_back({"convolution_forward_many_tiles_sample_moments",
                   [=](Operands& operands) { run_forward(operands, forward, Moments::sample_channel, false); }});
  // 1 × 2 tiles of d_weight, and many pieces of the sum over positions
  const Geometry weights{"many_pieces", 8, 32, 32, 24, 128, 3, 3, 1, 1};
  cases.push_back({"encoder_gradient_many_pieces", [=](Operands& operands) {
    run_encoder_gradient(operands, weights, false, false, false, InputGradient::absent);
  }});
  cases.push_back({"encoder_gradient_many_pieces_batch_norm", [=](Operands& operands) {
    run_encoder_gradient(operands, weights, true, true, false, InputGradient::absent);
  }});
  // 128 tiles of d_x
  const Geometry data{"many_tiles", 16, 32, 32, 128, 16, 3, 3, 1, 1};
  cases.push_back({"encoder_gradient_many_tiles_d_x", [=](Operands& operands) {
    run_encoder_gradient(operands, data, false, false, true, InputGradient::absent);
  }});
  // 132 tall tiles of y; one of d_weight, in as many pieces
  const Geometry tall{"tall_tiles", 33, 32, 32, 24, 128, 3, 3, 1, 1};
  cases.push_back({"convolution_forward_tall_tiles_channel_moments",
                   [=](Operands& operands) { run_forward(operands, tall, Moments::channel, true); }});
  const Geometry tall_weights{"tall_tiles", 64, 32, 32, 8, 256, 3, 3, 1, 1};
  cases.push_back({"encoder_gradient_tall_tiles", [=](Operands& operands) {
    run_encoder_gradient(operands, tall_weights, false, false, false, InputGradient::absent);
  }});
}

}  // namespace layerwise::test
