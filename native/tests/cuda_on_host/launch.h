// kernel<<<grid, block, shared, stream>>>(arguments), as functions.
#pragma once

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "cuda_on_host/execution.h"
#include "cuda_on_host/runtime_api.h"

namespace layerwise::cuda_on_host {

/// Runs the grid, or records it where the stream is being captured. What CUDA refuses to launch becomes
/// the error that cudaGetLastError returns.
void launch_grid(Grid grid, const void* kernel, cudaStream_t stream);

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            cudaStream_t stream, Arguments&&... arguments) {
  using Values = std::tuple<Parameters...>;
  static_assert(sizeof(Values) <= 4096, "a kernel's arguments are limited to 4 KiB");
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "arguments are copied to the device byte by byte");
  const Values values(std::forward<Arguments>(arguments)...);
  launch_grid({name, grid, block, shared_bytes, [kernel, values] { std::apply(kernel, values); }, {}, {}},
              reinterpret_cast<const void*>(kernel), stream);
}

}  // namespace layerwise::cuda_on_host
