#include "backend/cuda/similarity_loss.cuh"

#include <algorithm>
#include <type_traits>

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

namespace {

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

template <class T>
constexpr DataType data_type = std::is_same_v<T, float> ? DataType::float32 : DataType::bfloat16;

/// Room for unit vectors, as whole pieces: kernels need not look for their end.
template <class S>
ArenaTensor take_units(const Device& device, int64_t samples, int64_t features) {
  return device.arena.take(data_type<S>, Shape::matrix(round_up(samples, similarity_columns),
                                                       round_up(features, similarity_columns)));
}

template <class S>
Operand<S, true> units_operand(const Tensor& units) {
  if (!units) return {};
  return make_operand<true>(units.as<const S>(), units.shape.n, units.shape.c);
}

template <class S>
void make_units(const Device& device, const Tensor& x, const Tensor& units, float* norms) {
  with_storage(x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    UnitVectors<T, S> a{};
    a.values = x.as<T>();
    a.samples = x.shape.n;
    a.features = x.shape.features();
    a.padded_features = units.shape.c;
    a.units = units.as<S>();
    a.norms = norms;
    LAYERWISE_LAUNCH((unit_vectors_kernel<T, S>), static_cast<unsigned>(units.shape.n), unit_threads, 0,
                     device.stream, a);
  });
}

void make_code_units(const Device& device, const SimilarityLoss& op, const Tensor& units) {
  UnitVectors<float, float> a{};
  a.values = op.projection.as<float>();
  a.labels = op.labels.as<int32_t>();
  a.classes = op.projection.shape.c;
  a.samples = op.x.shape.n;
  a.features = op.projection.shape.n;
  a.padded_features = units.shape.c;
  a.units = units.as<float>();
  LAYERWISE_LAUNCH((unit_vectors_kernel<float, float>), static_cast<unsigned>(units.shape.n), unit_threads, 0,
                   device.stream, a);
}

}  // namespace

void similarity_loss(Device& device, const SimilarityLoss& op) {
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const int64_t samples = op.x.shape.n, features = op.x.shape.features();
    const bool has_codes = op.labels && op.projection;
    const ArenaTensor units = take_units<T>(device, samples, features);
    const ArenaTensor norms = device.arena.take(DataType::float32, Shape::vector(samples));
    const ArenaTensor codes = has_codes ? take_units<float>(device, samples, op.projection.shape.n) : ArenaTensor();
    const ArenaTensor input = op.input ? take_units<T>(device, samples, op.input.shape.features()) : ArenaTensor();
    make_units<T>(device, op.x, units, norms.view().as<float>());
    if (codes) make_code_units(device, op, codes);
    if (input) make_units<T>(device, op.input, input, nullptr);

    const unsigned row_blocks = blocks_for(samples, similarity_rows);
    const unsigned slices = op.d_x ? blocks_for(features, similarity_columns) : 1;
    const unsigned groups = std::clamp(static_cast<unsigned>(device.multiprocessors) / row_blocks, 1u, slices);
    const ArenaTensor losses = device.arena.take(DataType::float64, Shape::matrix(row_blocks, 2));
    const double per_pair = 4 / (static_cast<double>(samples) * static_cast<double>(samples));
    SimilarityArguments<T> a{};
    a.samples = samples;
    a.features = features;
    a.units = units_operand<T>(units);
    a.norms = norms.view().as<float>();
    a.labels = op.labels.as<int32_t>();
    if (op.labels && !op.projection) a.different = static_cast<float>(-1.0 / static_cast<double>(op.classes - 1));
    a.codes = units_operand<float>(codes);
    a.gradient_scale = static_cast<float>(per_pair * op.gradient_scale);
    a.input = units_operand<T>(input);
    a.input_scale = static_cast<float>(per_pair * op.input_scale);
    a.d_x = op.d_x.as<T>();
    a.similarity = op.similarity.as<float>();
    a.target = op.target.as<float>();
    a.losses = losses.view().as<double>();
    a.metrics = op.metrics;
    a.ticket = device.ticket;
    LAYERWISE_LAUNCH(similarity_loss_kernel<T>, dim3(row_blocks, groups), tile_threads, 0, device.stream, a);
  });
}

}  // namespace layerwise::cuda
