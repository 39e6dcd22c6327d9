// The gradients of the block's own convolution.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

/// d_bias = Σ dy over samples and positions.
void bias_gradient(Device& device, const Tensor& d_y, const Tensor& d_bias) {
  const int64_t channels = d_y.shape.c, rows = d_y.shape.n * d_y.shape.positions();
  const Partition pieces = partition_items(rows, channels);
  const ArenaTensor sums = take_doubles(device, pieces.count(), channels);
  double* const total = sums.view().as<double>();
  const int64_t stride = sums.view().shape.c;
  with_storage(d_y.type, [&](auto a) {
    using A = decltype(a);
    parallel_for(pieces.count(), [&](int64_t i) {
      std::fill_n(total + i * stride, channels, 0.0);
      device.loops.of<A>().add_rows(total + i * stride, d_y.as<A>() + pieces.begin(i) * channels, pieces.size(i),
                                    channels);
    });
  });
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < pieces.count(); ++i) sum += total[i * stride + c];
    d_bias.as<float>()[c] = static_cast<float>(sum);
  }
}

/// The weight gradient alone, with batch norm's backward pass on its way in: d_y never reaches memory.
void weight_gradient_by_winograd(Device& device, const EncoderGradient& op) {
  const BatchNormCoefficients of(device,
                                 {op.g, op.y, op.mean, op.variance, op.scale, op.d_scale, op.d_shift, {}, {}});
  with_storage(op.x.type, [&](auto a) {
    const BatchNormBackward<decltype(a)> backward{nullptr, of.multiplier, of.mean_g, op.mean.as<float>(), of.slope};
    device.winograd.weight_gradient<decltype(a)>(op.x, op.g, op.y, backward, op.d_weight);
  });
}

}  // namespace

void encoder_gradient(Device& device, const EncoderGradient& op) {
  if (op.y && !op.d_y && !op.d_x && by_winograd(device, op.convolution, op.x.shape, op.g.shape)) {
    weight_gradient_by_winograd(device, op);
    if (op.d_bias) std::fill_n(op.d_bias.as<float>(), op.d_bias.shape.elements(), 0.0f);
    return;
  }
  const Tensor& d_y = op.d_y ? op.d_y : op.g;
  if (op.y) batch_norm_gradient(device, {op.g, op.y, op.mean, op.variance, op.scale, op.d_scale, op.d_shift, {}, d_y});
  if (!op.y && d_y.data != op.g.data)
    parallel_ranges(d_y.shape.elements(), [&](int64_t begin, int64_t end) {
      const auto bytes = static_cast<int64_t>(size_of(d_y.type));
      std::copy(op.g.as<char>() + begin * bytes, op.g.as<char>() + end * bytes, d_y.as<char>() + begin * bytes);
    });
  if (op.d_bias && op.y) std::fill_n(op.d_bias.as<float>(), op.d_bias.shape.elements(), 0.0f);
  if (op.d_bias && !op.y) bias_gradient(device, d_y, op.d_bias);
  convolve_weight_gradient(device, op.convolution, op.x, d_y, op.d_weight);
  if (op.d_x) convolve_data_gradient(device, op.convolution, d_y, op.weight, op.d_x);
}

}  // namespace layerwise::cpu
