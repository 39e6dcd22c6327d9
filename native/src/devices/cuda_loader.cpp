#include "devices/cuda_loader.h"

#include <dlfcn.h>

#include <string>

#include "core/own_folder.h"

namespace layerwise {

namespace {

constexpr const char* on_host = "cuda-on-host";

void* load_library(const std::string& device) {
  const bool host = device == on_host;
  const auto file = own_folder() / (host ? "liblayerwise_cuda_on_host.so" : "liblayerwise_cuda.so");
  std::error_code unreadable;
  if (!std::filesystem::exists(file, unreadable)) {
    if (host)
      fail(ErrorKind::device_unavailable, "this build cannot run CUDA kernels on the host: ", file.filename().string(),
           " is missing; build with -DLAYERWISE_CUDA_ON_HOST=ON");
    fail(ErrorKind::device_unavailable, "this build has no CUDA backend: ", file.filename().string(),
         " is missing; install the CUDA toolkit with nvcc 12.8 or later and build with -DLAYERWISE_CUDA=ON");
  }
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr)
    fail(ErrorKind::device_unavailable, "the CUDA backend does not load: ", dlerror(),
         host ? "" : "; is the CUDA runtime on LD_LIBRARY_PATH?");
  return library;
}

}  // namespace

bool is_cuda_device(const std::string& device) {
  return device == "cuda" || device == on_host || device.rfind("cuda:", 0) == 0;
}

std::unique_ptr<Backend> open_cuda_backend(const std::string& device, const DeviceOptions& options) {
  void* library = load_library(device);
  const auto open = reinterpret_cast<OpenCudaBackend*>(dlsym(library, open_cuda_backend_symbol));
  if (open == nullptr)
    fail(ErrorKind::device_unavailable, "the CUDA library does not have ", open_cuda_backend_symbol,
         "; install it from the same build as liblayerwise");
  CudaBackendFailure failure;
  std::unique_ptr<Backend> backend(open({LAYERWISE_VERSION, device.c_str(), options}, failure));
  if (backend == nullptr) throw Error(failure.kind, failure.message);
  return backend;
}

}  // namespace layerwise
