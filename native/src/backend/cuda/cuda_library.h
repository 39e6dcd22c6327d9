// What the CUDA libraries, liblayerwise_cuda.so and liblayerwise_cuda_on_host.so, export: one function.
// They are opened only when a CUDA device is asked for, so that nothing else depends on CUDA.
#pragma once

#include <cstddef>

#include "backend/backend.h"
#include "core/error.h"

namespace layerwise {

enum class Precision { float32, bfloat16 };          // of activations and the weights' copies
enum class CudaEngine { automatic, fused, vendor };  // vendor: cuDNN and cuBLAS

struct CudaBackendOptions {
  const char* version = "";  // of the caller: both sides must come from one build
  const char* device = "";   // "cuda", "cuda:1", …, or "cuda-on-host"
  Precision precision = Precision::float32;
  CudaEngine engine = CudaEngine::automatic;
  bool tensor_float32 = false;  // float32 products may be rounded to tf32
};

/// Where opening fails: why. The message is cut where it does not fit.
struct CudaBackendFailure {
  ErrorKind kind = ErrorKind::internal;
  char message[512] = "";
};

/// The exported function's name and type. It returns a backend that the caller owns, or null and the
/// failure. It does not throw.
constexpr const char* open_cuda_backend_symbol = "layerwise_open_cuda_backend";
using OpenCudaBackend = Backend*(const CudaBackendOptions& options, CudaBackendFailure& failure) noexcept;

}  // namespace layerwise
