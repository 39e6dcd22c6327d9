// Opens the CUDA backend, which is a library of its own.
#pragma once

#include <memory>
#include <string>

#include "backend/cuda/cuda_library.h"

namespace layerwise {

/// Whether the name is one of "cuda", "cuda:0", "cuda:1", …, "cuda-on-host".
bool is_cuda_device(const std::string& device);

/// The backend for a device, from the library that lies in the folder of this one. The library
/// stays loaded: what it throws, and its threads' variables, may outlive the backend. Throws
/// Error(device_unavailable), one sentence, where the library is missing or does not load.
std::unique_ptr<Backend> open_cuda_backend(const std::string& device, const DeviceOptions& options);

}  // namespace layerwise
