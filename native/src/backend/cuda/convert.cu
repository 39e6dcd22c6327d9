#include "backend/cuda/convert.cuh"

#include <type_traits>

#include "backend/cuda/convert.h"

namespace layerwise::cuda {

void convert(cudaStream_t stream, const Tensor& from, const Tensor& bias, const Tensor& to) {
  constexpr int64_t most_blocks = 1 << 14;
  const int64_t elements = to.shape.elements();
  const auto aligned = [](const Tensor& tensor) {
    return reinterpret_cast<uintptr_t>(tensor.data) % (tensor.type == DataType::float32 ? 16 : 8) == 0;
  };
  const bool fours = elements % 4 == 0 && (!bias || to.shape.c % 4 == 0) && aligned(from) && aligned(to);
  with_storage(from.type, [&](auto* typed_from) {
    using From = std::remove_pointer_t<decltype(typed_from)>;
    with_storage(to.type, [&](auto* typed_to) {
      using To = std::remove_pointer_t<decltype(typed_to)>;
      const auto launch = [&](auto in_fours) {
        LAYERWISE_LAUNCH((convert_kernel<decltype(in_fours)::value, From, To>),
                         blocks_for(elements, 4 * convert_threads, most_blocks), convert_threads, 0, stream,
                         static_cast<const From*>(from.as<From>()), static_cast<const float*>(bias.as<float>()),
                         static_cast<int>(to.shape.c), to.as<To>(), elements);
      };
      fours ? launch(std::true_type{}) : launch(std::false_type{});
    });
  });
}

}  // namespace layerwise::cuda
