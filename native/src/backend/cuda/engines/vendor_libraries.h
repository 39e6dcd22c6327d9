// Opens cuBLAS, cuDNN and NCCL at run time, from wherever they are.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace layerwise::cuda {

/// Folders that may hold NVIDIA's libraries, in the order in which they are tried: those of CUDA_HOME, CUDA_PATH and
/// /usr/local/cuda, then of pip's nvidia packages in the Python installations under `prefixes`.
std::vector<std::filesystem::path> library_folders(const std::vector<std::filesystem::path>& prefixes);

/// Where Python may be installed: $VIRTUAL_ENV, $CONDA_PREFIX, ~/.local, /usr/local and /usr.
std::vector<std::filesystem::path> python_prefixes();

/// A shared library that stays open until the process ends. By its bare name it is found where the process has it
/// already (Java preloads it), on LD_LIBRARY_PATH and in the system's folders; then in library_folders().
class VendorLibrary {
 public:
  /// Throws Error(device_unavailable) where it is nowhere, or does not load; the message ends with `advice`.
  explicit VendorLibrary(const std::string& file,
                         const char* advice = "it comes with a CUDA installation or cuDNN's, with pip's nvidia packages or"
                                              " with JavaCPP's CUDA presets");

  /// The function of that name. Throws Error(device_unavailable) where the library does not have it.
  template <class Function>
  void find(const char* symbol, Function*& function) const {
    function = reinterpret_cast<Function*>(address(symbol));
  }

 private:
  void* address(const char* symbol) const;

  std::string file_;
  void* handle_ = nullptr;
};

/// What a library has created, with the function of the library that destroys it.
template <class Handle, class Status>
struct HandleDeleter {
  using pointer = Handle;
  Status (*destroy)(Handle) = nullptr;
  void operator()(Handle handle) const noexcept { destroy(handle); }
};
template <class Handle, class Status>
using OwnedHandle = std::unique_ptr<Handle, HandleDeleter<Handle, Status>>;

}  // namespace layerwise::cuda
