#include "backend/cuda/engines/cublas.h"

#include <limits>

#include "core/error.h"

namespace layerwise::cuda {

namespace {

constexpr size_t workspace_bytes = size_t{32} << 20;  // what cuBLAS takes on the largest cards

int as_int(int64_t value) {
  require(value <= std::numeric_limits<int>::max(), "a matrix is too large for cuBLAS: ", value);
  return static_cast<int>(value);
}

cudaDataType type_of(DataType type) { return type == DataType::bfloat16 ? CUDA_R_16BF : CUDA_R_32F; }

}  // namespace

Cublas::Cublas(cudaStream_t stream, bool tensor_float32)
    : workspace_(make_device_memory(workspace_bytes)), tensor_float32_(tensor_float32) {
  const std::string major = std::to_string(CUBLAS_VER_MAJOR);
  const VendorLibrary light("libcublasLt.so." + major);  // which the next one needs
  const VendorLibrary library("libcublas.so." + major);
  library.find("cublasCreate_v2", functions_.create);
  library.find("cublasDestroy_v2", functions_.destroy);
  library.find("cublasSetStream_v2", functions_.set_stream);
  library.find("cublasSetWorkspace_v2", functions_.set_workspace);
  library.find("cublasSetMathMode", functions_.set_math_mode);
  library.find("cublasGetProperty", functions_.get_property);
  library.find("cublasGetStatusString", functions_.status_string);
  library.find("cublasGemmEx", functions_.multiply);
  cublasHandle_t handle = nullptr;
  check(functions_.create(&handle), "starting");
  handle_ = {handle, {functions_.destroy}};
  check(functions_.set_stream(handle, stream), "choosing a stream");
  check(functions_.set_workspace(handle, workspace_.get(), workspace_bytes), "choosing a workspace");
  check(functions_.set_math_mode(handle, static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                                                   CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
        "choosing a precision");
}

void Cublas::multiply(const MatrixProduct& product) const {
  // cuBLAS is column-major: what is stored by rows is a transposed matrix to it, and cᵀ = bᵀ · aᵀ.
  const float one = 1, zero = 0;
  const int rows = as_int(product.rows), columns = as_int(product.columns), depth = as_int(product.depth);
  const cudaDataType factors = type_of(product.factors);
  const cublasComputeType_t compute = tensor_float32_ ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  check(functions_.multiply(handle_.get(), product.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
                            product.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, columns, rows, depth, &one, product.b,
                            factors, product.b_transposed ? depth : columns, product.a, factors,
                            product.a_transposed ? rows : depth, &zero, product.c.data, type_of(product.c.type),
                            columns, compute, CUBLAS_GEMM_DEFAULT),
        "multiplying matrices");
}

std::string Cublas::version() const {
  std::string text;
  for (const libraryPropertyType part : {MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL}) {
    int number = 0;
    check(functions_.get_property(part, &number), "asking for its version");
    text += (text.empty() ? "" : ".") + std::to_string(number);
  }
  return text;
}

void Cublas::check(cublasStatus_t status, const char* what) const {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const ErrorKind kind = status == CUBLAS_STATUS_ALLOC_FAILED     ? ErrorKind::out_of_memory
                         : status == CUBLAS_STATUS_NOT_INITIALIZED ? ErrorKind::device_unavailable
                                                                   : ErrorKind::internal;
  fail(kind, "cuBLAS reports '", functions_.status_string(status), "' while ", what);
}

}  // namespace layerwise::cuda
