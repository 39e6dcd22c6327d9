#include <vector>

#include "backend/reference/convolution.h"
#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

namespace {

constexpr Convolution linear_map{1, 1, 1, 0};

/// decoder(h): the adjoint of the block's convolution, or the linear map.
void decode(const ReconstructionLoss& op, const Tensor& decoded) {
  if (!op.transposed) return convolve(linear_map, op.h, op.weight, op.bias, decoded);
  const Elements value(decoded), bias(op.bias);
  for_each_element(decoded.shape, [&](int64_t n, int64_t h, int64_t w, int64_t i) { value(n, h, w, i) = bias[i]; });
  add_convolution_data_gradient(op.convolution, op.h, op.weight, decoded);
}

}  // namespace

void reconstruction_loss(const ReconstructionLoss& op, const StepState&) {
  const Shape shape = op.x.shape;
  std::vector<double> storage(static_cast<size_t>(shape.elements()));
  const Tensor decoded{storage.data(), DataType::float64, shape};
  decode(op, decoded);

  // Loss, and its gradient at decoder(h) in the place of decoder(h).
  const Elements x(op.x), value(decoded), d_bias(op.d_bias);
  const double elements = static_cast<double>(shape.elements());
  double loss = 0;
  d_bias.fill(0);
  for_each_element(shape, [&](int64_t n, int64_t h, int64_t w, int64_t i) {
    double& v = value(n, h, w, i);
    const double slope = v > 0 ? 1 : op.negative_slope;
    const double difference = slope * v - x(n, h, w, i);
    loss += difference * difference / elements;
    v = op.gradient_scale * 2 * difference / elements * slope;
    d_bias[i] += v;
  });
  if (op.metrics != nullptr) op.metrics->unsupervised_loss += loss * static_cast<double>(shape.n);

  if (op.transposed) {
    // The adjoint's adjoint is the convolution itself, with h in the part of its output.
    convolution_weight_gradient(op.convolution, decoded, op.h, op.d_weight);
    convolve(op.convolution, decoded, op.weight, {}, op.d_h);
  } else {
    convolution_weight_gradient(linear_map, op.h, decoded, op.d_weight);
    Elements(op.d_h).fill(0);
    add_convolution_data_gradient(linear_map, decoded, op.weight, op.d_h);
  }
}

}  // namespace reference
}  // namespace layerwise
