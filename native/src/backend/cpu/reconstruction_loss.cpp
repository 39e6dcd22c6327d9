// The reconstruction of a block's input from its output, its squared error and the gradients.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

constexpr Convolution linear_map{1, 1, 1, 0};
constexpr int64_t most_rows = 64;  // float sums of at most so many terms

/// decoded, decoder(h) without its bias, becomes the gradient of the loss at decoder(h); d_bias is its sum over
/// samples and positions. Returns Σ (x̂ − x)².
template <class A>
double gradient_at_decoder(Device& device, const ReconstructionLoss& op, const Tensor& decoded) {
  const int64_t channels = decoded.shape.c, rows = decoded.shape.n * decoded.shape.positions();
  const auto scale = static_cast<float>(2 * op.gradient_scale / static_cast<double>(decoded.shape.elements()));
  const Partition pieces = partition_items(rows, channels);
  const ArenaTensor parts = take_floats(device, pieces.count(), 2 * channels);
  const ArenaTensor totals = take_doubles(device, pieces.count(), 2 * channels);
  const auto total_of = [&](int64_t i) { return totals.view().as<double>() + i * totals.view().shape.c; };
  parallel_for(pieces.count(), [&](int64_t i) {
    float* const part = parts.view().as<float>() + i * parts.view().shape.c;
    std::fill_n(part, 2 * channels, 0.0f);
    std::fill_n(total_of(i), 2 * channels, 0.0);
    for (int64_t row = pieces.begin(i); row < pieces.end(i); row += most_rows) {
      const int64_t first = row * channels;
      device.loops.of<A>().reconstruction_gradient(
          decoded.as<A>() + first, op.bias.as<float>(), op.x.as<A>() + first, static_cast<float>(op.negative_slope),
          scale, std::min(most_rows, pieces.end(i) - row), channels, part, part + channels);
      device.loops.fold(total_of(i), part, 2 * channels);
    }
  });

  double squares = 0;
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < pieces.count(); ++i) {
      sum += total_of(i)[c];
      squares += total_of(i)[channels + c];
    }
    op.d_bias.as<float>()[c] = static_cast<float>(sum);
  }
  return squares;
}

}  // namespace

void reconstruction_loss(Device& device, const ReconstructionLoss& op) {
  const ArenaTensor decoded = device.arena.take(op.x.type, op.x.shape);
  if (op.transposed)
    convolve_data_gradient(device, op.convolution, op.h, op.weight, decoded);
  else
    convolve(device, linear_map, op.h, op.weight, {}, decoded);

  double squares = 0;
  with_storage(op.x.type, [&](auto a) { squares = gradient_at_decoder<decltype(a)>(device, op, decoded); });
  if (op.metrics != nullptr)  // samples · (squares / elements)
    op.metrics->unsupervised_loss += squares / static_cast<double>(op.x.shape.features());

  if (op.transposed) {
    // The adjoint's adjoint is the convolution itself, with h in the part of its output.
    convolve_weight_gradient(device, op.convolution, decoded, op.h, op.d_weight);
    convolve(device, op.convolution, decoded, op.weight, {}, op.d_h);
  } else {
    convolve_weight_gradient(device, linear_map, op.h, decoded, op.d_weight);
    convolve_data_gradient(device, linear_map, decoded, op.weight, op.d_h);
  }
}

}  // namespace layerwise::cpu
