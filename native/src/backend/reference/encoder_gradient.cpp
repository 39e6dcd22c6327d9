#include <algorithm>

#include "backend/reference/convolution.h"
#include "backend/reference/elements.h"
#include "backend/reference/operations.h"

namespace layerwise {
namespace reference {

void encoder_gradient(const EncoderGradient& op, const StepState& state) {
  const bool batch_norm = static_cast<bool>(op.y);
  const Tensor& d_y = op.d_y ? op.d_y : op.g;
  if (batch_norm) {
    batch_norm_gradient({op.g, op.y, op.mean, op.variance, op.scale, op.d_scale, op.d_shift, {}, d_y}, state);
  } else if (d_y.data != op.g.data) {
    std::copy_n(op.g.as<double>(), op.g.shape.elements(), d_y.as<double>());
  }
  convolution_weight_gradient(op.convolution, op.x, d_y, op.d_weight);
  if (op.d_bias) {
    // Batch norm subtracts whatever a bias adds: its gradient is 0, and a sum would give rounding noise.
    const Elements d_bias(op.d_bias), dy(d_y);
    d_bias.fill(0);
    if (!batch_norm) {
      for_each_element(d_y.shape, [&](int64_t n, int64_t h, int64_t w, int64_t c) { d_bias[c] += dy(n, h, w, c); });
    }
  }
  if (op.d_x) {
    Elements(op.d_x).fill(0);
    add_convolution_data_gradient(op.convolution, d_y, op.weight, op.d_x);
  }
}

}  // namespace reference
}  // namespace layerwise
