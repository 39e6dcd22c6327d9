#include "devices/open_device.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "core/error.h"
#include "devices/cuda_loader.h"

namespace layerwise {

std::unique_ptr<Backend> open_device(const std::string& device, const DeviceOptions& options) {
  require(options.threads >= 0, "threads must be 0 (one per core) or more, not ", options.threads);
  if (device == "cpu") return make_cpu_backend(options);
  if (device == "reference") {
    require(options.precision == Precision::automatic && options.engine == "auto",
            "the reference device computes in double, in one way; it takes no precision and no engine");
    require(!options.tf32, "tf32 is a precision of CUDA devices; the reference device has none");
    return make_reference_backend();
  }
  if (is_cuda_device(device)) return open_cuda_backend(device, options);
  fail(ErrorKind::device_unavailable, "there is no device '", device,
       "'; devices are: cpu, reference, cuda, cuda:0 and so on, cuda-on-host");
}

std::string processor_features() { return cpu_features(); }

}  // namespace layerwise
