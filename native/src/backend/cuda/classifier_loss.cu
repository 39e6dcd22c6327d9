#include "backend/cuda/classifier_loss.cuh"

#include <algorithm>
#include <type_traits>

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

namespace {

constexpr int64_t most_ranges = 32;  // a thread adds its output's shares up one after the other

/// Features per share of the logits: as many shares as fill the device, none below two pieces of the depth.
int64_t features_per_range(const Device& device, int64_t tiles, int64_t features) {
  const int64_t wanted = std::clamp<int64_t>(device.multiprocessors / tiles, 1, most_ranges);
  const int64_t each = (features + wanted - 1) / wanted;
  return std::max<int64_t>((each + tile_depth - 1) / tile_depth, 2) * tile_depth;
}

template <class T>
void launch_gradients(const Device& device, const ClassifierLoss& op, const Tensor& d_logits) {
  const int64_t samples = op.x.shape.n, features = op.x.shape.features(), outputs = op.weight.shape.n;
  ClassifierGradients<T> a{};
  a.d_logits = d_logits.as<float>();
  a.samples = samples;
  a.outputs = outputs;
  a.feature_tiles = blocks_for(features, classifier_tile);
  unsigned blocks = 0;
  if (op.d_weight) {
    a.d_outputs = make_operand<false>(a.d_logits, outputs, samples);
    a.x = make_operand<false>(op.x.as<const T>(), features, samples);
    a.d_weight = op.d_weight.as<float>();
    a.d_bias = op.d_bias.as<float>();
    a.weight_blocks = blocks_for(outputs, classifier_tile) * a.feature_tiles;
    blocks += a.weight_blocks + blocks_for(outputs, tile_threads);
  }
  if (op.d_x) {
    a.d_samples = make_operand<true>(a.d_logits, samples, outputs);
    a.backward = make_operand<false>((op.feedback ? op.feedback : op.weight).as<const T>(), features, outputs);
    a.d_x = op.d_x.as<T>();
    a.x_blocks = blocks_for(samples, classifier_tile) * a.feature_tiles;
    blocks += a.x_blocks;
  }
  LAYERWISE_LAUNCH(classifier_gradients_kernel<T>, blocks, tile_threads, 0, device.stream, a);
}

}  // namespace

void classifier_loss(Device& device, const ClassifierLoss& op) {
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const int64_t samples = op.x.shape.n, features = op.x.shape.features(), outputs = op.weight.shape.n;
    const unsigned sample_tiles = blocks_for(samples, classifier_tile);
    const unsigned output_tiles = blocks_for(outputs, classifier_tile);
    const int64_t range = features_per_range(device, static_cast<int64_t>(sample_tiles) * output_tiles, features);
    const unsigned ranges = blocks_for(features, range);
    const ArenaTensor partial = device.arena.take(DataType::float32, Shape{ranges, samples, 1, outputs});
    LAYERWISE_LAUNCH(classifier_logits_kernel<T>, dim3(sample_tiles, output_tiles, ranges), tile_threads, 0,
                     device.stream, make_operand<true>(op.x.as<const T>(), samples, features),
                     make_operand<true>(op.weight.as<const T>(), outputs, features), range,
                     partial.view().as<float>());

    const bool wants_gradient = op.labels && (op.d_weight || op.d_x);
    const bool needs_rows = wants_gradient || !op.logits;
    const ArenaTensor rows =
        needs_rows ? device.arena.take(DataType::float32, Shape::matrix(samples, outputs)) : ArenaTensor();
    const ArenaTensor sums = device.arena.take(DataType::float64, Shape::matrix(2, samples));
    ClassifierSamples a{};
    a.partial = partial.view().as<float>();
    a.ranges = static_cast<int>(ranges);
    a.bias = op.bias.as<float>();
    a.outputs = outputs;
    a.logits = (op.logits ? op.logits : rows.view()).as<float>();
    a.labels = op.labels.as<int32_t>();
    a.projection = op.projection.as<float>();
    a.label_count = op.projection.shape.c;
    a.scale = static_cast<float>(op.gradient_scale / static_cast<double>(samples));
    a.d_logits = wants_gradient ? rows.view().as<float>() : nullptr;
    a.losses = sums.view().as<double>();
    a.errors = a.losses + samples;
    a.metrics = op.metrics;
    a.ticket = device.ticket;
    LAYERWISE_LAUNCH(classifier_samples_kernel, static_cast<unsigned>(samples), classifier_sample_threads, 0,
                     device.stream, a);
    if (wants_gradient) launch_gradients<T>(device, op, rows);
  });
}

}  // namespace layerwise::cuda
