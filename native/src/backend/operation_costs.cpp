#include "backend/operation_costs.h"

#include <initializer_list>

namespace layerwise {

namespace {

/// Of the operands that are there.
double bytes_of(std::initializer_list<Tensor> operands) {
  double bytes = 0;
  for (const Tensor& operand : operands)
    if (operand) bytes += static_cast<double>(operand.bytes());
  return bytes;
}

/// Of a convolution whose output is y, one way: forward, weight gradient and data gradient cost the same.
double convolution_flops(const Convolution& geometry, const Shape& y, int64_t in_channels) {
  return 2.0 * static_cast<double>(y.elements()) *
         static_cast<double>(geometry.kernel_height * geometry.kernel_width * in_channels);
}

std::string kernel_of(const Convolution& geometry) {
  return std::to_string(geometry.kernel_height) + "×" + std::to_string(geometry.kernel_width) + " ";
}

std::string from_to(const Shape& from, const Shape& to) { return from.to_string() + " to " + std::to_string(to.c); }

}  // namespace

OperationCosts costs_of(const LoadBatch& op) {
  return {0, static_cast<double>(op.images.shape.elements()) + bytes_of({op.images}), op.images.shape.to_string()};
}

OperationCosts costs_of(const MixBatch& op) {
  return {0, bytes_of({op.images, op.mixed}), op.mixed.shape.to_string()};
}

OperationCosts costs_of(const ConvolutionForward& op) {
  return {convolution_flops(op.convolution, op.y.shape, op.x.shape.c), bytes_of({op.x, op.weight, op.y}),
          kernel_of(op.convolution) + from_to(op.x.shape, op.y.shape)};
}

OperationCosts costs_of(const MomentsOfTensor& op) { return {0, bytes_of({op.x}), op.x.shape.to_string()}; }

OperationCosts costs_of(const NormalizeActivate& op) {
  return {0, bytes_of({op.y, op.shortcut, op.h, op.pooled, op.output}), op.y.shape.to_string()};
}

OperationCosts costs_of(const ClassifierLoss& op) {
  const int64_t classes = op.bias.shape.c;
  const double one_way = 2.0 * static_cast<double>(op.x.shape.elements() * classes);
  return {one_way * (1 + (op.d_weight ? 1 : 0) + (op.d_x ? 1 : 0)),
          bytes_of({op.x, op.weight, op.feedback, op.d_weight, op.d_x, op.logits}),
          op.x.shape.to_string() + " to " + std::to_string(classes)};
}

OperationCosts costs_of(const SimilarityLoss& op) {
  const double samples = static_cast<double>(op.row_count());
  const auto one_way = [&](const Tensor& x) { return 2 * samples * static_cast<double>(x.shape.elements()); };
  return {one_way(op.x) * (op.d_x ? 2 : 1) + (op.input ? one_way(op.input) : 0), bytes_of({op.x, op.input, op.d_x}),
          (op.rows > 0 ? std::to_string(op.rows) + " of " : std::string()) + op.x.shape.to_string()};
}

OperationCosts costs_of(const DeviationGradient& op) {
  return {0, bytes_of({op.x, op.d_x}), op.x.shape.to_string()};
}

OperationCosts costs_of(const ReconstructionLoss& op) {
  const double one_way = op.transposed ? convolution_flops(op.convolution, op.h.shape, op.x.shape.c)
                                       : 2.0 * static_cast<double>(op.h.shape.elements() * op.x.shape.c);
  return {3 * one_way, bytes_of({op.h, op.x, op.weight, op.d_weight, op.d_h}), from_to(op.h.shape, op.x.shape)};
}

OperationCosts costs_of(const AddTensor& op) {
  return {0, bytes_of({op.addend, op.sum, op.sum}), op.sum.shape.to_string()};
}

OperationCosts costs_of(const HiddenGradient& op) {
  const double one_way =
      op.similarity_weight ? convolution_flops(op.similarity_convolution, op.h.shape, op.h.shape.c) : 0;
  const Tensor d_z = op.similarity_weight ? (op.d_z ? op.d_z : op.z) : Tensor();
  return {2 * one_way,
          bytes_of({op.h, d_z, op.similarity_weight, op.d_similarity_weight, op.d_pooled, op.d_output, op.d_h, op.y, op.g}),
          (op.similarity_weight ? kernel_of(op.similarity_convolution) : std::string()) + op.h.shape.to_string()};
}

OperationCosts costs_of(const EncoderGradient& op) {
  return {convolution_flops(op.convolution, op.g.shape, op.x.shape.c) * (op.d_x ? 2 : 1),
          bytes_of({op.x, op.g, op.y, op.d_weight, op.d_x, op.d_x ? op.weight : Tensor()}),
          kernel_of(op.convolution) + from_to(op.x.shape, op.g.shape)};
}

OperationCosts costs_of(const BatchNormGradient& op) {
  return {0, bytes_of({op.g, op.y, op.addend, op.d_y}), op.g.shape.to_string()};
}

OperationCosts costs_of(const DropElements& op) {
  return {0, bytes_of({op.x, op.output}), op.x.shape.to_string()};
}

OperationCosts costs_of(const SumOfSquares& op) {
  return {0, bytes_of({op.values}), std::to_string(op.values.shape.elements()) + " gradients"};
}

OperationCosts costs_of(const OptimizerStep& op) {
  // Parameters, moments and averages are read and written.
  return {0,
          bytes_of({op.gradients, op.copy}) +
              2 * bytes_of({op.parameters, op.first_moment, op.second_moment, op.maximum_second_moment, op.average}),
          std::to_string(op.parameters.shape.elements()) + " parameters"};
}

}  // namespace layerwise
