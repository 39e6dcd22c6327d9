// CUDA's runtime API in C++: errors, owners of what CUDA gives, and which device is used.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/cuda/cuda_api.h"

namespace layerwise::cuda {

/// Throws layerwise::Error, one sentence, where CUDA reports an error; `what` says what was being done,
/// as in "launching add_tensor_kernel".
[[noreturn]] void fail_with(cudaError_t error, const char* what);
inline void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) fail_with(error, what);
}

struct StreamDeleter {
  using pointer = cudaStream_t;
  void operator()(cudaStream_t stream) const noexcept { cudaStreamDestroy(stream); }
};
struct EventDeleter {
  using pointer = cudaEvent_t;
  void operator()(cudaEvent_t event) const noexcept { cudaEventDestroy(event); }
};
struct GraphDeleter {
  using pointer = cudaGraph_t;
  void operator()(cudaGraph_t graph) const noexcept { cudaGraphDestroy(graph); }
};
struct GraphExecDeleter {
  using pointer = cudaGraphExec_t;
  void operator()(cudaGraphExec_t graph) const noexcept { cudaGraphExecDestroy(graph); }
};
struct DeviceDeleter {
  void operator()(void* data) const noexcept { cudaFree(data); }
};
struct PinnedDeleter {
  void operator()(void* data) const noexcept { cudaFreeHost(data); }
};

using Stream = std::unique_ptr<cudaStream_t, StreamDeleter>;
using Event = std::unique_ptr<cudaEvent_t, EventDeleter>;
using Graph = std::unique_ptr<cudaGraph_t, GraphDeleter>;
using GraphExec = std::unique_ptr<cudaGraphExec_t, GraphExecDeleter>;
using DeviceMemory = std::unique_ptr<void, DeviceDeleter>;
using PinnedMemory = std::unique_ptr<void, PinnedDeleter>;

Stream make_stream();  // does not wait for the default stream
Event make_event();    // without a clock
Event make_timing_event();
PinnedMemory make_pinned(size_t bytes);

/// Device memory that holds anything. Throws Error(out_of_memory), saying how much there is.
DeviceMemory make_device_memory(size_t bytes);

/// Give the stream a fill with zeros, or a copy.
void clear_async(cudaStream_t stream, void* data, size_t bytes);
void copy_async(cudaStream_t stream, void* to, const void* from, size_t bytes, cudaMemcpyKind kind);

/// The index in a device's name: "cuda" is 0, "cuda:1" is 1. Throws Error(device_unavailable) for others.
int device_index(const std::string& name);

/// Makes the named device the calling thread's. Throws Error(device_unavailable) where there is no such
/// device, the driver is missing or too old, or the device is older than compute capability 8.0.
cudaDeviceProp use_device(const std::string& name);

/// Whether the device and its driver know programmatic dependent launch, in graphs too: compute capability 9.0 and CUDA
/// 12.3.
bool can_overlap_launches(const cudaDeviceProp& properties);

/// "NVIDIA H100 PCIe driver 13.0": what timings depend on.
std::string card_and_driver(const cudaDeviceProp& properties);

}  // namespace layerwise::cuda
