#include <cmath>

#include "backend/reference/convolution.h"
#include "backend/reference/elements.h"
#include "backend/reference/operations.h"
#include "backend/reference/pooling.h"

namespace layerwise {
namespace reference {

namespace {

/// Gradients of batch norm's scale and shift.
void batch_norm_sums(const HiddenGradient& op) {
  const Elements g(op.g), y(op.y), mean(op.mean_y), variance(op.variance_y);
  const Elements d_scale(op.d_scale), d_shift(op.d_shift);
  d_scale.fill(0);
  d_shift.fill(0);
  for_each_element(op.g.shape, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
    const double normalized = (y(n, h, w, c) - mean[c]) / std::sqrt(variance[c] + batch_norm_epsilon);
    d_scale[c] += g(n, h, w, c) * normalized;
    d_shift[c] += g(n, h, w, c);
  });
}

}  // namespace

void hidden_gradient(const HiddenGradient& op, const StepState& state) {
  const Elements hidden(op.h), g(op.g);
  g.fill(0);
  if (op.similarity_weight) {
    // dz in the place of z, element by element.
    if (op.mean) deviation_gradient({op.z, op.mean, op.deviation, op.d_deviation, op.z}, state);
    const Tensor& dz = op.mean ? op.z : op.d_z;
    convolution_weight_gradient(op.similarity_convolution, op.h, dz, op.d_similarity_weight);
    add_convolution_data_gradient(op.similarity_convolution, dz, op.similarity_weight, op.g);
  }
  if (op.d_pooled) add_average_unpool(op.average_pooling, op.d_pooled, op.g);
  if (op.d_output) add_drop_and_unpool(op.dropout, state, op.max_pool, op.h, op.d_output, op.g);
  if (op.d_h) add_tensor({op.d_h, op.g}, state);
  for_each_element(op.h.shape, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
    if (!(hidden(n, h, w, c) > 0)) g(n, h, w, c) *= op.negative_slope;
  });
  if (op.d_scale) batch_norm_sums(op);
}

}  // namespace reference
}  // namespace layerwise
