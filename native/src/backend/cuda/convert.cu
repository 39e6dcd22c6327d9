#include "backend/cuda/convert.cuh"

#include <type_traits>

#include "backend/cuda/convert.h"

namespace layerwise::cuda {

namespace {

constexpr int64_t most_blocks = 1 << 14;

}  // namespace

void convert(cudaStream_t stream, const Tensor& from, const Tensor& bias, const Tensor& to) {
  const int64_t elements = to.shape.elements();
  with_storage(from.type, [&](auto* typed_from) {
    using From = std::remove_pointer_t<decltype(typed_from)>;
    with_storage(to.type, [&](auto* typed_to) {
      using To = std::remove_pointer_t<decltype(typed_to)>;
      LAYERWISE_LAUNCH((convert_kernel<From, To>), blocks_for(elements, convert_threads, most_blocks),
                       convert_threads, 0, stream, static_cast<const From*>(from.as<From>()),
                       static_cast<const float*>(bias.as<float>()), static_cast<int>(to.shape.c), to.as<To>(),
                       elements);
    });
  });
}

void store_gradient(cudaStream_t stream, const OutputGradient& d_y, const Tensor& stored) {
  const Shape& shape = d_y.values.shape;
  const int64_t elements = shape.elements();
  with_storage(d_y.values.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const int channels = static_cast<int>(shape.c);
    const auto* const coefficients = static_cast<const float*>(d_y.coefficients.data);
    const auto run = [&](const auto& prologue) {
      using Prologue = std::decay_t<decltype(prologue)>;
      LAYERWISE_LAUNCH((store_gradient_kernel<T, Prologue>), blocks_for(elements, convert_threads, most_blocks),
                       convert_threads, 0, stream, static_cast<const T*>(d_y.values.as<T>()),
                       static_cast<const T*>(d_y.second.as<T>()), prologue, channels, shape.features(),
                       stored.as<T>(), elements);
    };
    switch (d_y.kind) {
      case OutputGradient::Kind::stored: return convert(stream, d_y.values, {}, stored);
      case OutputGradient::Kind::deviation: return run(DeviationPrologue{coefficients, channels});
      case OutputGradient::Kind::batch_norm: return run(BatchNormPrologue<T>{coefficients, d_y.second.as<T>()});
    }
  });
}

}  // namespace layerwise::cuda
