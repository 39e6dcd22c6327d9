// Matrix products by cuBLAS.
#pragma once

#include <string>

#include "backend/cuda/engines/cublas_api.h"
#include "backend/cuda/runtime.h"
#include "backend/cuda/engines/vendor_engine.h"
#include "backend/cuda/engines/vendor_libraries.h"

namespace layerwise::cuda {

class Cublas {
 public:
  /// Throws Error where the library is missing or does not work here.
  Cublas(cudaStream_t stream, bool tensor_float32);

  /// See VendorEngine. The order of its sums depends on the shapes only: one stream, no atomics, a workspace of
  /// its own.
  void multiply(const MatrixProduct& product) const;

  /// "13.1.1"
  std::string version() const;

 private:
  struct Functions {
    decltype(&cublasCreate_v2) create;
    decltype(&cublasDestroy_v2) destroy;
    decltype(&cublasSetStream_v2) set_stream;
    decltype(&cublasSetWorkspace_v2) set_workspace;
    decltype(&cublasSetMathMode) set_math_mode;
    decltype(&cublasGetProperty) get_property;
    decltype(&cublasGetStatusString) status_string;
    decltype(&cublasGemmEx) multiply;
  };

  void check(cublasStatus_t status, const char* what) const;

  Functions functions_{};
  DeviceMemory workspace_;
  OwnedHandle<cublasHandle_t, cublasStatus_t> handle_;
  bool tensor_float32_;
};

}  // namespace layerwise::cuda
