// Convolutions by cuDNN.
#pragma once

#include <string>

#include "backend/cuda/nvidia_api.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/vendor_libraries.h"

namespace layerwise::cuda {

class Cudnn {
 public:
  /// Throws Error where the library is missing or does not work here.
  Cudnn(cudaStream_t stream, Arena& arena, bool tensor_float32);

  // See VendorEngine. Only algorithms that cuDNN documents to be deterministic.
  bool convolve(const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
                const Tensor& y) const;
  bool convolve_weight_gradient(const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                                const Tensor& d_weight) const;
  bool convolve_data_gradient(const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                              const Tensor& d_x) const;

  /// "9.24.0"
  std::string version() const;

 private:
  struct Functions {
    decltype(&cudnnCreate) create;
    decltype(&cudnnDestroy) destroy;
    decltype(&cudnnSetStream) set_stream;
    decltype(&cudnnGetVersion) get_version;
    decltype(&cudnnGetErrorString) error_string;
    decltype(&cudnnCreateTensorDescriptor) create_tensor;
    decltype(&cudnnSetTensor4dDescriptor) set_tensor;
    decltype(&cudnnDestroyTensorDescriptor) destroy_tensor;
    decltype(&cudnnCreateFilterDescriptor) create_filter;
    decltype(&cudnnSetFilter4dDescriptor) set_filter;
    decltype(&cudnnDestroyFilterDescriptor) destroy_filter;
    decltype(&cudnnCreateConvolutionDescriptor) create_convolution;
    decltype(&cudnnSetConvolution2dDescriptor) set_convolution;
    decltype(&cudnnSetConvolutionMathType) set_math_type;
    decltype(&cudnnDestroyConvolutionDescriptor) destroy_convolution;
    decltype(&cudnnCreateActivationDescriptor) create_activation;
    decltype(&cudnnSetActivationDescriptor) set_activation;
    decltype(&cudnnDestroyActivationDescriptor) destroy_activation;
    decltype(&cudnnGetConvolutionForwardWorkspaceSize) forward_workspace;
    decltype(&cudnnConvolutionForward) forward;
    decltype(&cudnnConvolutionBiasActivationForward) forward_with_bias;
    decltype(&cudnnGetConvolutionBackwardFilterWorkspaceSize) weight_gradient_workspace;
    decltype(&cudnnConvolutionBackwardFilter) weight_gradient;
    decltype(&cudnnGetConvolutionBackwardDataWorkspaceSize) data_gradient_workspace;
    decltype(&cudnnConvolutionBackwardData) data_gradient;
  };

  template <class Handle>
  using Owned = OwnedHandle<Handle, cudnnStatus_t>;

  template <class Handle>
  Owned<Handle> make(cudnnStatus_t (*create)(Handle*), cudnnStatus_t (*destroy)(Handle)) const {
    Handle handle = nullptr;
    check(create(&handle), "starting");
    return {handle, {destroy}};
  }

  Owned<cudnnTensorDescriptor_t> describe(const Tensor& tensor) const;
  Owned<cudnnFilterDescriptor_t> describe_filter(const Tensor& weight) const;
  Owned<cudnnConvolutionDescriptor_t> describe(const Convolution& geometry, DataType type) const;
  Owned<cudnnActivationDescriptor_t> identity() const;

  /// False where cuDNN does not support what it was asked for; throws Error for any other failure.
  bool is_done(cudnnStatus_t status, const char* what) const;
  void check(cudnnStatus_t status, const char* what) const;

  Functions functions_{};
  Arena& arena_;
  bool tensor_float32_;
  Owned<cudnnHandle_t> handle_;
};

}  // namespace layerwise::cuda
