// Compiles where the headers of cuBLAS 13 and cuDNN 9 are, and only if nvidia_api.h says what they say:
//   c++ -std=c++17 -fsyntax-only -I native/src -I <CUDA's include> -I <cuDNN's include> native/tests/nvidia_api_check.cpp
#include "backend/cuda/nvidia_api.h"

#include <cublas_v2.h>
#include <cudnn.h>

#include <type_traits>

namespace {

namespace ours = layerwise::cuda;

/// What a type is to a caller: a number of some bytes, or an address.
template <class T>
struct Passed {
  using type = std::conditional_t<std::is_pointer_v<T>, void*, T>;
  using underlying = std::conditional_t<std::is_enum_v<T>, int, type>;
  static_assert(!std::is_enum_v<T> || sizeof(T) == sizeof(int));
};
template <class T>
using passed = typename Passed<T>::underlying;

template <class Function>
struct Signature;
template <class Result, class... Arguments>
struct Signature<Result (*)(Arguments...)> {
  using type = passed<Result>(passed<Arguments>...);
};
template <class Result, class... Arguments>
struct Signature<Result (*)(Arguments...) noexcept> : Signature<Result (*)(Arguments...)> {};

#define SAME_FUNCTION(name)                                                               \
  static_assert(std::is_same_v<Signature<decltype(&::name)>::type, Signature<decltype(&ours::name)>::type>, #name)
#define SAME_NUMBER(name) static_assert(static_cast<int>(::name) == static_cast<int>(ours::name), #name)

SAME_NUMBER(CUBLAS_STATUS_SUCCESS);
SAME_NUMBER(CUBLAS_STATUS_NOT_INITIALIZED);
SAME_NUMBER(CUBLAS_STATUS_ALLOC_FAILED);
SAME_NUMBER(CUBLAS_OP_N);
SAME_NUMBER(CUBLAS_OP_T);
SAME_NUMBER(CUBLAS_DEFAULT_MATH);
SAME_NUMBER(CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
SAME_NUMBER(CUBLAS_COMPUTE_32F);
SAME_NUMBER(CUBLAS_COMPUTE_32F_FAST_TF32);
SAME_NUMBER(CUBLAS_GEMM_DEFAULT);
SAME_NUMBER(CUDNN_STATUS_SUCCESS);
SAME_NUMBER(CUDNN_STATUS_NOT_INITIALIZED);
SAME_NUMBER(CUDNN_STATUS_NOT_SUPPORTED);
SAME_NUMBER(CUDNN_DATA_FLOAT);
SAME_NUMBER(CUDNN_DATA_BFLOAT16);
SAME_NUMBER(CUDNN_TENSOR_NHWC);
SAME_NUMBER(CUDNN_CROSS_CORRELATION);
SAME_NUMBER(CUDNN_TENSOR_OP_MATH);
SAME_NUMBER(CUDNN_FMA_MATH);
SAME_NUMBER(CUDNN_ACTIVATION_IDENTITY);
SAME_NUMBER(CUDNN_NOT_PROPAGATE_NAN);
SAME_NUMBER(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
SAME_NUMBER(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
SAME_NUMBER(CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);

SAME_FUNCTION(cublasCreate_v2);
SAME_FUNCTION(cublasDestroy_v2);
SAME_FUNCTION(cublasSetStream_v2);
SAME_FUNCTION(cublasSetWorkspace_v2);
SAME_FUNCTION(cublasSetMathMode);
SAME_FUNCTION(cublasGetProperty);
SAME_FUNCTION(cublasGetStatusString);
// In C++ the name stands for two functions; this is the one with C's linkage, if it is there.
using GemmEx = decltype(static_cast<cublasStatus_t (*)(
                            cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*,
                            const void*, cudaDataType, int, const void*, cudaDataType, int, const void*, void*,
                            cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t)>(&::cublasGemmEx));
static_assert(std::is_same_v<Signature<GemmEx>::type, Signature<decltype(&ours::cublasGemmEx)>::type>);
SAME_FUNCTION(cudnnCreate);
SAME_FUNCTION(cudnnDestroy);
SAME_FUNCTION(cudnnSetStream);
SAME_FUNCTION(cudnnGetVersion);
SAME_FUNCTION(cudnnGetErrorString);
SAME_FUNCTION(cudnnCreateTensorDescriptor);
SAME_FUNCTION(cudnnSetTensor4dDescriptor);
SAME_FUNCTION(cudnnDestroyTensorDescriptor);
SAME_FUNCTION(cudnnCreateFilterDescriptor);
SAME_FUNCTION(cudnnSetFilter4dDescriptor);
SAME_FUNCTION(cudnnDestroyFilterDescriptor);
SAME_FUNCTION(cudnnCreateConvolutionDescriptor);
SAME_FUNCTION(cudnnSetConvolution2dDescriptor);
SAME_FUNCTION(cudnnSetConvolutionMathType);
SAME_FUNCTION(cudnnDestroyConvolutionDescriptor);
SAME_FUNCTION(cudnnCreateActivationDescriptor);
SAME_FUNCTION(cudnnSetActivationDescriptor);
SAME_FUNCTION(cudnnDestroyActivationDescriptor);
SAME_FUNCTION(cudnnGetConvolutionForwardWorkspaceSize);
SAME_FUNCTION(cudnnConvolutionForward);
SAME_FUNCTION(cudnnConvolutionBiasActivationForward);
SAME_FUNCTION(cudnnGetConvolutionBackwardFilterWorkspaceSize);
SAME_FUNCTION(cudnnConvolutionBackwardFilter);
SAME_FUNCTION(cudnnGetConvolutionBackwardDataWorkspaceSize);
SAME_FUNCTION(cudnnConvolutionBackwardData);

}  // namespace
