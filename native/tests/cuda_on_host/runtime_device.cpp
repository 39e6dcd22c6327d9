// Errors, versions, the device and the limits of its kernels.
#include <cstring>
#include <map>
#include <mutex>

#include "cuda_on_host/execution.h"
#include "cuda_on_host/launch.h"
#include "cuda_on_host/runtime_state.h"

namespace layerwise::cuda_on_host {

namespace {

thread_local cudaError_t last_error = cudaSuccess;
cudaError_t sticky = cudaSuccess;

std::mutex kernels_mutex;
std::map<const void*, size_t> dynamic_shared_limit;  // per kernel, where it was raised

size_t shared_limit(const void* kernel) {
  const std::lock_guard<std::mutex> lock(kernels_mutex);
  const auto found = dynamic_shared_limit.find(kernel);
  return found == dynamic_shared_limit.end() ? most_shared_bytes_by_default : found->second;
}

cudaError_t check_configuration(const Grid& grid, const void* kernel) {
  const dim3& block = grid.block;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  const uint64_t blocks = uint64_t{grid.grid.x} * grid.grid.y * grid.grid.z;
  if (threads == 0 || threads > most_threads_per_block || block.z > 64) return cudaErrorInvalidConfiguration;
  if (blocks == 0 || grid.grid.x > 0x7FFFFFFFu || grid.grid.y > 65535 || grid.grid.z > 65535)
    return cudaErrorInvalidConfiguration;
  return grid.shared_bytes > shared_limit(kernel) ? cudaErrorInvalidValue : cudaSuccess;
}

}  // namespace

cudaError_t report(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t report_sticky(cudaError_t error) {
  sticky = error;
  return report(error);
}

cudaError_t sticky_error() { return sticky; }

void forget_sticky_error() { sticky = last_error = cudaSuccess; }

void launch_grid(Grid grid, const void* kernel, cudaStream_t stream) {
  if (report(check_configuration(grid, kernel)) != cudaSuccess) return;
  submit(stream, [grid = std::move(grid)] { run_grid(grid); });
}

}  // namespace layerwise::cuda_on_host

using namespace layerwise::cuda_on_host;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorDevicesUnavailable: return "cudaErrorDevicesUnavailable";
    case cudaErrorInvalidDeviceFunction: return "cudaErrorInvalidDeviceFunction";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorNoKernelImageForDevice: return "cudaErrorNoKernelImageForDevice";
    case cudaErrorUnsupportedPtxVersion: return "cudaErrorUnsupportedPtxVersion";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorSystemDriverMismatch: return "cudaErrorSystemDriverMismatch";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureImplicit: return "cudaErrorStreamCaptureImplicit";
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureImplicit:
      return "operation would make the legacy stream depend on a capturing blocking stream";
    default: return cudaGetErrorName(error);
  }
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError() { return sticky != cudaSuccess ? sticky : last_error; }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return report(device == 0 ? cudaSuccess : cudaErrorInvalidDevice); }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return report(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "CUDA on host");
  size_t free = 0;
  cudaMemGetInfo(&free, &properties->totalGlobalMem);
  properties->sharedMemPerBlock = most_shared_bytes_by_default;
  properties->sharedMemPerBlockOptin = most_shared_bytes;
  properties->sharedMemPerMultiprocessor = most_shared_bytes + 1024;
  properties->warpSize = warp_size;
  properties->maxThreadsPerBlock = most_threads_per_block;
  properties->maxThreadsPerMultiProcessor = 2048;
  properties->major = 9;
  properties->multiProcessorCount = 4;  // few, so that grids sized by it stay small
  properties->l2CacheSize = 50 << 20;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  if (sticky_error() != cudaSuccess) return sticky_error();
  return forbidden_in_capture();
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
      static_cast<size_t>(value) > most_shared_bytes)
    return report(cudaErrorInvalidValue);
  const std::lock_guard<std::mutex> lock(kernels_mutex);
  dynamic_shared_limit[kernel] = static_cast<size_t>(value);
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int block_size,
                                                          size_t dynamic_shared_bytes) {
  if (block_size <= 0 || block_size > static_cast<int>(most_threads_per_block) ||
      dynamic_shared_bytes > shared_limit(kernel))
    return report(cudaErrorInvalidValue);
  // Registers are not known here: threads and shared memory are what limits.
  const size_t by_shared = (most_shared_bytes + 1024) / (dynamic_shared_bytes + 1024);
  *blocks = std::min(static_cast<int>(by_shared), 2048 / block_size);
  return cudaSuccess;
}
