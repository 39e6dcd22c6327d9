// The devices there are, by name: the only place outside their own folders that knows the kinds of backends.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace layerwise {

/// `device` is "cpu", "reference", "cuda", "cuda:0" and so on, or "cuda-on-host"; throws Error(device_unavailable) for any
/// other name, and Error(invalid_argument) for options that the device does not have.
std::unique_ptr<Backend> open_device(const std::string& device, const DeviceOptions& options);

/// The vector extensions of this processor that device cpu can use: "avx2 fma avx512f"; empty in a build without it.
std::string processor_features();

}  // namespace layerwise
