// Device memory is memory of the process between guards.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>

#include "cuda_on_host/counting.h"
#include "cuda_on_host/guarded_buffer.h"
#include "cuda_on_host/runtime_state.h"

namespace layerwise::cuda_on_host {

namespace {

class DeviceMemory {
 public:
  DeviceMemory() {
    if (const char* limit = std::getenv("LAYERWISE_CUDA_ON_HOST_MEMORY")) total_ = std::strtoull(limit, nullptr, 10);
  }

  void set_total(size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    total_ = bytes;
  }

  cudaError_t allocate(void** data, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    *data = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (used_ > total_ || bytes > total_ - used_) return cudaErrorMemoryAllocation;
    try {
      auto buffer = std::make_unique<GuardedBuffer>(bytes);
      char* start = buffer->reset(bytes);
      if (is_counting()) std::memset(start, 0, bytes);
      pieces_.emplace(start, std::move(buffer));
      *data = start;
    } catch (const std::bad_alloc&) {
      return cudaErrorMemoryAllocation;
    }
    used_ += bytes;
    return cudaSuccess;
  }

  cudaError_t free(void* data) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto piece = pieces_.find(static_cast<const char*>(data));
    if (piece == pieces_.end()) return cudaErrorInvalidValue;
    const bool intact = piece->second->is_intact();
    const size_t bytes = piece->second->bytes();
    used_ -= bytes;
    pieces_.erase(piece);
    if (intact) return cudaSuccess;
    std::fprintf(stderr, "CUDA on host: something wrote next to an allocation of %zu bytes\n", bytes);
    return cudaErrorIllegalAddress;
  }

  void sizes(size_t* free, size_t* total) {
    const std::lock_guard<std::mutex> lock(mutex_);
    *free = total_ > used_ ? total_ - used_ : 0;
    *total = total_;
  }

  bool contains(const void* data, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const char* begin = static_cast<const char*>(data);
    auto piece = pieces_.upper_bound(begin);
    if (piece == pieces_.begin()) return false;
    --piece;
    const size_t offset = static_cast<size_t>(begin - piece->first);
    return offset <= piece->second->bytes() && bytes <= piece->second->bytes() - offset;
  }

  std::vector<std::pair<uintptr_t, uintptr_t>> allocations() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::pair<uintptr_t, uintptr_t>> all;
    for (const auto& [data, buffer] : pieces_) {
      const auto begin = reinterpret_cast<uintptr_t>(data);
      all.emplace_back(begin, begin + buffer->bytes());
    }
    return all;
  }

 private:
  std::mutex mutex_;
  std::map<const char*, std::unique_ptr<GuardedBuffer>> pieces_;
  size_t used_ = 0;
  size_t total_ = size_t{64} << 30;
};

/// Never destroyed: other objects may free memory while the process ends.
DeviceMemory& memory() {
  static DeviceMemory& one = *new DeviceMemory;
  return one;
}

cudaError_t check_copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (to_device && !memory().contains(to, bytes)) return cudaErrorInvalidValue;
  if (from_device && !memory().contains(from, bytes)) return cudaErrorInvalidValue;
  return cudaSuccess;
}

template <class Work>
cudaError_t submit_transfer(cudaStream_t stream, const char* kind, size_t bytes, const Work& work) {
  return submit(stream, [kind, bytes, work, of = label()] {
    if (is_counting()) count_transfer(kind, of, bytes);
    work();
  });
}

}  // namespace

void set_device_memory(size_t bytes) { memory().set_total(bytes); }

bool is_device_memory(const void* data, size_t bytes) { return memory().contains(data, bytes); }

std::vector<std::pair<uintptr_t, uintptr_t>> device_allocations() { return memory().allocations(); }

}  // namespace layerwise::cuda_on_host

using namespace layerwise::cuda_on_host;

cudaError_t cudaMalloc(void** data, size_t bytes) {
  if (sticky_error() != cudaSuccess) return sticky_error();
  if (const cudaError_t error = forbidden_in_capture()) return error;
  return report(memory().allocate(data, bytes));
}

cudaError_t cudaFree(void* data) {
  if (data == nullptr) return cudaSuccess;
  if (const cudaError_t error = forbidden_in_capture()) return error;
  const cudaError_t error = memory().free(data);
  return error == cudaErrorIllegalAddress ? report_sticky(error) : report(error);
}

cudaError_t cudaMallocHost(void** data, size_t bytes) {
  if (const cudaError_t error = forbidden_in_capture()) return error;
  *data = std::malloc(bytes);
  return report(*data != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void* data) {
  if (const cudaError_t error = forbidden_in_capture()) return error;
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  memory().sizes(free, total);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (sticky_error() != cudaSuccess) return sticky_error();
  if (forbidden_in_capture() != cudaSuccess) return report(cudaErrorStreamCaptureImplicit);
  if (const cudaError_t error = check_copy(to, from, bytes, kind)) return report(error);
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (bytes == 0) return sticky_error();
  if (const cudaError_t error = check_copy(to, from, bytes, kind)) return report(error);
  return submit_transfer(stream, "copy", bytes, [=] { std::memcpy(to, from, bytes); });
}

cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return sticky_error();
  if (!is_device_memory(data, bytes)) return report(cudaErrorInvalidValue);
  return submit_transfer(stream, "fill", bytes, [=] { std::memset(data, value, bytes); });
}
