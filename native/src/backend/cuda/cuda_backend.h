// The backend for NVIDIA GPUs.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/cuda/cuda_library.h"

namespace layerwise {

/// Parameters are float32, activations of the precision that is asked for. Throws Error where the device
/// or the engine is not there.
std::unique_ptr<Backend> make_cuda_backend(const CudaBackendOptions& options);

}  // namespace layerwise
