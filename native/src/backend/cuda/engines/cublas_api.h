// What the backend uses of cuBLAS 13: its C interface, declared here so that building needs no headers of NVIDIA's. The
// library is opened at run time (vendor_libraries.h); nothing here is linked to. Names and numbers are those of NVIDIA's
// documentation. VendorDeclarationsTest (Java) compares the numbers with those that JavaCPP's presets were made from,
// nvidia_api_check.cpp numbers and types with the headers, where there are some.
#pragma once

#include <cstddef>
#include <cstdint>
#include <library_types.h>

#include "backend/cuda/cuda_api.h"

namespace layerwise::cuda {

constexpr int CUBLAS_VER_MAJOR = 13;

struct cublasContext;
using cublasHandle_t = cublasContext*;

enum cublasStatus_t : int {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_ALLOC_FAILED = 3
};
enum cublasOperation_t : int { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasMath_t : int { CUBLAS_DEFAULT_MATH = 0, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16 };
enum cublasComputeType_t : int { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };
enum cublasGemmAlgo_t : int { CUBLAS_GEMM_DEFAULT = -1 };

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle);
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle);
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream);
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes);
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);
cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value);
const char* cublasGetStatusString(cublasStatus_t status);
/// c = alpha · op(a) · op(b) + beta · c, column-major: c (m × n), op(a) (m × k), op(b) (k × n); lda, ldb and ldc are
/// the elements from one column to the next.
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                            const void* alpha, const void* a, cudaDataType a_type, int lda, const void* b,
                            cudaDataType b_type, int ldb, const void* beta, void* c, cudaDataType c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algorithm);

}  // namespace layerwise::cuda
