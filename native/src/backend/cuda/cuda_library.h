// What the CUDA libraries, liblayerwise_cuda.so and liblayerwise_cuda_on_host.so, export: one function.
// They are opened only when a CUDA device is asked for, so that nothing else depends on CUDA.
#pragma once

#include <cstddef>

#include "backend/backend.h"
#include "core/error.h"

namespace layerwise {

/// Where to compute. Strings cross between the libraries: both must come from one build.
struct CudaDevice {
  const char* version;  // of the caller
  const char* name;     // "cuda", "cuda:1", …, or "cuda-on-host"
  const DeviceOptions& options;  // engine: "auto", "fused", "hopper" or "cudnn"
};

/// Where opening fails: why. The message is cut where it does not fit.
struct CudaBackendFailure {
  ErrorKind kind = ErrorKind::internal;
  char message[512] = "";
};

/// The exported function's name and type. It returns a backend that the caller owns, or null and the
/// failure. It does not throw.
constexpr const char* open_cuda_backend_symbol = "layerwise_open_cuda_backend";
using OpenCudaBackend = Backend*(const CudaDevice& device, CudaBackendFailure& failure) noexcept;

}  // namespace layerwise
