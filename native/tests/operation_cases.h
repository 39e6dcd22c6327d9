// The one table of cases that drives every backend.
//
// A case declares its operands and calls one operation. It is run on the reference backend and on the
// backend under test, on the same inputs, and the outputs are compared.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "operands.h"

namespace layerwise::test {

struct OperationCase {
  std::string name;  // letters, digits and underscores
  std::function<void(Operands&)> run;
};
inline void PrintTo(const OperationCase& one, std::ostream* stream) { *stream << one.name; }

/// All cases, in a fixed order.
const std::vector<OperationCase>& operation_cases();

/// Further ones, so large that a GPU of 132 multiprocessors does each product that it runs in training by large tiles:
/// too much work for backends that have no such tiles.
const std::vector<OperationCase>& many_tile_cases();

/// 3×3 convolutions of channels in eights, on maps of many sizes: what GPUs with warpgroups do by kernels of their own.
const std::vector<OperationCase>& cases_in_eights();

/// A convolution layer's sizes. A linear layer has a kernel that covers its input and no padding.
struct Geometry {
  std::string name;
  int64_t samples, height, width, in_channels, out_channels;
  int64_t kernel_height, kernel_width, stride, padding;

  Convolution convolution() const { return {kernel_height, kernel_width, stride, padding}; }
  Shape in() const { return {samples, height, width, in_channels}; }
  Shape out() const { return convolution().output_shape(in(), out_channels); }
  Shape weight() const { return {out_channels, kernel_height, kernel_width, in_channels}; }
  /// Products that are summed in one output element.
  double fan_in() const { return static_cast<double>(kernel_height * kernel_width * in_channels); }
};

/// The geometries that convolution_forward and encoder_gradient are tried on.
const std::vector<Geometry>& geometries();

// The parts of the tables; each appends its cases.
void add_convolution_cases(std::vector<OperationCase>& cases);  // convolution_forward, encoder_gradient
void add_block_cases(std::vector<OperationCase>& cases);        // normalize_activate, hidden_gradient
void add_loss_cases(std::vector<OperationCase>& cases);         // classifier_loss, similarity_loss, reconstruction_loss
void add_tensor_cases(std::vector<OperationCase>& cases);       // moments_of_tensor, deviation_gradient, add_tensor
void add_training_cases(std::vector<OperationCase>& cases);     // load_batch, mix_batch, optimizer_step
void add_many_tile_convolution_cases(std::vector<OperationCase>& cases);
void add_many_tile_block_cases(std::vector<OperationCase>& cases);
void add_convolution_cases_in_eights(std::vector<OperationCase>& cases);
void add_block_cases_in_eights(std::vector<OperationCase>& cases);
void add_loss_cases_in_eights(std::vector<OperationCase>& cases);

}  // namespace layerwise::test
