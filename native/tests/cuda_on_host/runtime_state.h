// What the files of the runtime share.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "cuda_on_host/runtime_api.h"

struct CUgraph_st {
  std::vector<std::function<void()>> nodes;  // in the order of the stream
};
struct CUgraphExec_st {
  std::vector<std::function<void()>> nodes;
};
struct CUstream_st {
  bool captures = false;
  bool invalidated = false;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id capturing;  // the thread that began it
  CUgraph_st recorded;
};

namespace layerwise::cuda_on_host {

/// Remembers the error for cudaGetLastError and returns it.
cudaError_t report(cudaError_t error);

/// The same, and every later call fails with it.
cudaError_t report_sticky(cudaError_t error);

/// The error that makes every call fail, or success.
cudaError_t sticky_error();

/// The error that fail_next_call wants of this call of the function; success where it wants none.
cudaError_t wanted_failure(const char* function);

/// Does the work now, or records it where the stream captures.
cudaError_t submit(cudaStream_t stream, std::function<void()> work);

/// For calls that are forbidden while any stream captures: invalidates the captures and returns CUDA's
/// error; success where there are none. Captures in relaxed mode do not mind, those of another thread only in global mode.
cudaError_t forbidden_in_capture();

/// Whether [data, data + bytes) lies within one allocation of device memory.
bool is_device_memory(const void* data, size_t bytes);

/// What is allocated of device memory, each from the first byte to the one after the last, in order.
std::vector<std::pair<uintptr_t, uintptr_t>> device_allocations();

}  // namespace layerwise::cuda_on_host
