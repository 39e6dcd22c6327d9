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

}  // namespace layerwise::cuda
