// The backend for NVIDIA GPUs.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace layerwise {

/// `device`: "cuda", "cuda:1" and so on, or in the on-host build "cuda-on-host". Parameters are float32,
/// activations bfloat16 unless float32 is asked for. Throws Error where the device or the engine is not there.
std::unique_ptr<Backend> make_cuda_backend(const std::string& device, const DeviceOptions& options);

}  // namespace layerwise
