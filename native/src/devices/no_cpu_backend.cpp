// In a build without the CPU backend (-DLAYERWISE_CPU=OFF), which needs no oneDNN.
#include "backend/cpu/cpu_backend.h"
#include "core/error.h"

namespace layerwise {

std::unique_ptr<Backend> make_cpu_backend(const DeviceOptions&) {
  fail(ErrorKind::device_unavailable,
       "this build has no device 'cpu'; it was made for CUDA devices alone (-DLAYERWISE_CPU=OFF)");
}

bool cpu_supports_bfloat16() { return false; }
std::string cpu_features() { return {}; }

}  // namespace layerwise
