#include "backend/cuda/runtime.h"

#include <charconv>
#include <sstream>

#include "backend/cuda/launch_order.h"
#include "core/error.h"

namespace layerwise::cuda {

namespace {

constexpr int oldest_major = 8;

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::string mebibytes(size_t bytes) {
  std::ostringstream text;
  text.precision(1);
  text << std::fixed << static_cast<double>(bytes) / (1 << 20) << " MiB";
  return text.str();
}

/// What is wrong with the driver, where CUDA says that it does not do.
[[noreturn]] void fail_for_driver() {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0)
    fail(ErrorKind::device_unavailable, "there is no NVIDIA driver on this machine; install one for CUDA ",
         version(runtime), " or later");
  fail(ErrorKind::device_unavailable, "the NVIDIA driver is for CUDA ", version(driver),
       " and this build needs CUDA ", version(runtime), "; install a newer driver");
}

}  // namespace

void fail_with(cudaError_t error, const char* what) {
  cudaGetLastError();  // an error that is thrown is not remembered as well
  switch (error) {
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch: fail_for_driver();
    case cudaErrorMemoryAllocation:
      fail(ErrorKind::out_of_memory, "the CUDA device ran out of memory while ", what,
           "; use a smaller batch or a smaller network");
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      fail(ErrorKind::device_unavailable, "the CUDA device cannot be used: ", cudaGetErrorString(error), " (",
           cudaGetErrorName(error), ") while ", what);
    default:
      fail(ErrorKind::internal, "CUDA reports '", cudaGetErrorString(error), "' (", cudaGetErrorName(error),
           ") while ", what);
  }
}

Stream make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
  return Stream(stream);
}

Event make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "creating an event");
  return Event(event);
}

Event make_timing_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDefault), "creating an event");
  return Event(event);
}

PinnedMemory make_pinned(size_t bytes) {
  void* data = nullptr;
  check(cudaMallocHost(&data, bytes), "allocating page-locked memory");
  return PinnedMemory(data);
}

DeviceMemory make_device_memory(size_t bytes) {
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for the size of free memory");
    fail(ErrorKind::out_of_memory, "the CUDA device has no room for another ", mebibytes(bytes), ": ",
         mebibytes(free), " of ", mebibytes(total), " are free; use a smaller batch or a smaller network");
  }
  check(error, "allocating memory");
  return DeviceMemory(data);
}

void clear_async(cudaStream_t stream, void* data, size_t bytes) {
  check(cudaMemsetAsync(data, 0, bytes, stream), "clearing memory");
  launch_order.interrupt();
}

void copy_async(cudaStream_t stream, void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  check(cudaMemcpyAsync(to, from, bytes, kind, stream), "copying memory");
  launch_order.interrupt();
}

int device_index(const std::string& name) {
  const size_t colon = name.find(':');
  if (colon == std::string::npos) return 0;
  int index = -1;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + colon + 1, end, index);
  if (parsed.ec != std::errc() || parsed.ptr != end || index < 0)
    fail(ErrorKind::device_unavailable, "'", name, "' names no device; CUDA devices are cuda:0, cuda:1 and so on");
  return index;
}

cudaDeviceProp use_device(const std::string& name) {
  const int index = device_index(name);
  int count = 0;
  const cudaError_t counted = cudaGetDeviceCount(&count);
  if (counted == cudaErrorNoDevice || (counted == cudaSuccess && count == 0))
    fail(ErrorKind::device_unavailable, "there is no CUDA device on this machine");
  check(counted, "counting devices");
  if (index >= count)
    fail(ErrorKind::device_unavailable, "there is no device '", name, "': the CUDA devices here are 0 to ", count - 1);
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "asking for the device's properties");
  if (properties.major < oldest_major)
    fail(ErrorKind::device_unavailable, name, " (", properties.name, ") has compute capability ", properties.major, ".",
         properties.minor, "; Layerwise needs ", oldest_major, ".0 or later");
  check(cudaSetDevice(index), "selecting the device");
  return properties;
}

bool can_overlap_launches(const cudaDeviceProp& properties) {
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "asking for the driver's version");
  return properties.major >= 9 && driver >= 12030;
}

std::string card_and_driver(const cudaDeviceProp& properties) {
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "asking for the driver's version");
  return std::string(properties.name) + " driver " + version(driver);
}

}  // namespace layerwise::cuda
