// Elementwise steps around what libraries compute: other types, and biases.
//
// Threads: each takes four neighbouring elements, then the four as many further on as the grid has threads; neighbours in
// a warp take neighbours in memory. Where the elements are not aligned to fours of both types, or rows of channels not a
// multiple of four, it takes them one by one.
// Bytes: read and written once each. Floor on an H100: that / 3.0 TB/s.
#include <type_traits>

#include "backend/cuda/convert.h"
#include "backend/cuda/device_code.h"

namespace layerwise::cuda {

constexpr int convert_threads = 256;

template <bool fours, class From, class To>
__global__ void __launch_bounds__(convert_threads)
    convert_kernel(const From* from, const float* bias, int channels, To* to, int64_t elements) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x * 4;
  for (int64_t begin = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * 4; begin < elements;
       begin += stride) {
    int channel = bias != nullptr ? static_cast<int>(begin % channels) : 0;
    if constexpr (fours) {
      float values[4];
      load_four(from + begin, values);
      if (bias != nullptr) {
        LAYERWISE_UNROLL
        for (int e = 0; e < 4; ++e) values[e] += bias[channel + e];
      }
      store_four(to + begin, values);
    } else {
      const int64_t end = min(begin + 4, elements);
      for (int64_t i = begin; i < end; ++i) {
        store_element(to + i, load_element(from + i) + (bias != nullptr ? bias[channel] : 0.0f));
        channel = channel + 1 < channels ? channel + 1 : 0;
      }
    }
  }
}

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
