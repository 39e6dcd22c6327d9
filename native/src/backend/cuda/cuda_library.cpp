#include "backend/cuda/cuda_library.h"

#include <cstdio>
#include <cstring>
#include <exception>

#include "backend/cuda/cuda_backend.h"

using namespace layerwise;

extern "C" __attribute__((visibility("default"))) OpenCudaBackend layerwise_open_cuda_backend;

extern "C" Backend* layerwise_open_cuda_backend(const CudaDevice& device,
                                                CudaBackendFailure& failure) noexcept {
  const auto note = [&failure](ErrorKind kind, const char* message) {
    failure.kind = kind;
    std::snprintf(failure.message, sizeof failure.message, "%s", message);
  };
  try {
    if (std::strcmp(device.version, LAYERWISE_VERSION) != 0)
      fail(ErrorKind::device_unavailable, "the CUDA library is of version " LAYERWISE_VERSION
           " and liblayerwise of version ", device.version, "; install both from one build");
    return make_cuda_backend(device.name, device.options).release();
  } catch (const Error& error) {
    note(error.kind(), error.what());
  } catch (const std::exception& error) {
    note(ErrorKind::internal, error.what());
  } catch (...) {
    note(ErrorKind::internal, "opening the CUDA device failed for an unknown reason");
  }
  return nullptr;
}
