// Errors, versions, the device and the limits of its kernels.
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "cuda_on_host/counting.h"
#include "cuda_on_host/execution.h"
#include "cuda_on_host/launch.h"
#include "cuda_on_host/runtime_state.h"

namespace layerwise::cuda_on_host {

namespace {

thread_local cudaError_t last_error = cudaSuccess;
cudaError_t sticky = cudaSuccess;

struct Kernel {
  const char* name = "";
  size_t shared_limit = most_shared_bytes_by_default;
  int carveout = -1;              // percent; −1: none was asked for
  int64_t launches = 0;
  size_t most_shared_bytes = 0;   // it was launched with
};
std::mutex kernels_mutex;
std::map<const void*, Kernel> kernels;

size_t shared_limit(const void* kernel) {
  const std::lock_guard<std::mutex> lock(kernels_mutex);
  return kernels[kernel].shared_limit;
}

/// A kernel is loaded when it is launched for the first time, which may not be while a stream is captured.
cudaError_t load(const Grid& grid, const void* address) {
  bool is_new;
  {
    const std::lock_guard<std::mutex> lock(kernels_mutex);
    Kernel& kernel = kernels[address];
    is_new = kernel.launches++ == 0;
    kernel.name = grid.kernel;
    kernel.most_shared_bytes = std::max(kernel.most_shared_bytes, grid.shared_bytes);
  }
  return is_new ? forbidden_in_capture() : cudaSuccess;
}

std::mutex failures_mutex;
std::map<std::string, cudaError_t> failures = [] {
  std::map<std::string, cudaError_t> wanted;
  const char* const variable = std::getenv("LAYERWISE_CUDA_ON_HOST_FAILS");
  const std::string text = variable != nullptr ? variable : "";
  const size_t equals = text.find('=');
  if (equals != std::string::npos)
    wanted[text.substr(0, equals)] = static_cast<cudaError_t>(std::atoi(text.c_str() + equals + 1));
  return wanted;
}();

int multiprocessors = [] {
  const char* const wanted = std::getenv("LAYERWISE_CUDA_ON_HOST_MULTIPROCESSORS");
  return wanted != nullptr ? std::max(std::atoi(wanted), 1) : 4;
}();

/// The name that the linker knows it by, as nvcc's symbols; empty where it is not exported.
std::string symbol_of(const void* kernel) {
  Dl_info found{};
  return dladdr(kernel, &found) != 0 && found.dli_sname != nullptr ? found.dli_sname : "";
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

void set_multiprocessors(int count) { multiprocessors = count; }

void fail_next_call(const char* function, cudaError_t error) {
  const std::lock_guard<std::mutex> lock(failures_mutex);
  failures[function] = error;
}

cudaError_t wanted_failure(const char* function) {
  const std::lock_guard<std::mutex> lock(failures_mutex);
  const auto found = failures.find(function);
  if (found == failures.end()) return cudaSuccess;
  const cudaError_t error = found->second;
  failures.erase(found);
  return report(error);
}

int resident_blocks(const void* kernel, size_t dynamic_shared_bytes) {
  constexpr size_t reserved = 1024;  // per block, by CUDA
  const size_t block = dynamic_shared_bytes + reserved;
  size_t wanted = block;
  {
    const std::lock_guard<std::mutex> lock(kernels_mutex);
    if (kernels[kernel].carveout >= 0)
      wanted = std::max(block, (most_shared_bytes + reserved) * static_cast<size_t>(kernels[kernel].carveout) / 100);
  }
  for (const size_t kibibytes : {8, 16, 32, 64, 100, 132, 164, 196, 228})
    if (wanted <= kibibytes << 10) return static_cast<int>((kibibytes << 10) / block);
  return 0;
}

std::vector<LaunchedKernel> launched_kernels() {
  const std::lock_guard<std::mutex> lock(kernels_mutex);
  std::vector<LaunchedKernel> all;
  for (const auto& [address, kernel] : kernels)
    if (kernel.launches > 0) all.push_back({kernel.name, address, kernel.launches, kernel.most_shared_bytes});
  return all;
}

void forget_sticky_error() { sticky = last_error = cudaSuccess; }

void launch_grid(Grid grid, const void* kernel, cudaStream_t stream) {
  if (report(check_configuration(grid, kernel)) != cudaSuccess || load(grid, kernel) != cudaSuccess) return;
  if (is_counting()) {
    grid.symbol = symbol_of(kernel);
    grid.label = label();
  }
  submit(stream, [grid = std::move(grid)] { is_counting() ? count_grid(grid) : run_grid(grid); });
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
    case cudaErrorNotReady: return "cudaErrorNotReady";
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
  const char* const wanted = std::getenv("LAYERWISE_CUDA_ON_HOST_DRIVER");
  *version = wanted != nullptr ? std::atoi(wanted) : CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  int driver = 0;
  cudaDriverGetVersion(&driver);
  return driver < CUDART_VERSION ? report(cudaErrorInsufficientDriver) : wanted_failure("cudaGetDeviceCount");
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
  properties->multiProcessorCount = multiprocessors;
  properties->l2CacheSize = 50 << 20;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  if (sticky_error() != cudaSuccess) return sticky_error();
  return forbidden_in_capture();
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  const bool is_carveout = attribute == cudaFuncAttributePreferredSharedMemoryCarveout;
  const int least = is_carveout ? -1 : 0, most = is_carveout ? 100 : static_cast<int>(most_shared_bytes);
  if (value < least || value > most) return report(cudaErrorInvalidValue);
  const std::lock_guard<std::mutex> lock(kernels_mutex);
  if (is_carveout)
    kernels[kernel].carveout = value;
  else
    kernels[kernel].shared_limit = static_cast<size_t>(value);
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
