#include "backend/cuda/cudnn.h"

#include <limits>

#include "core/error.h"

namespace layerwise::cuda {

namespace {

// Of the algorithms that take channels-last bfloat16, those whose sums have a fixed order.
constexpr cudnnConvolutionFwdAlgo_t forward_algorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
constexpr cudnnConvolutionBwdFilterAlgo_t weight_gradient_algorithm = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
constexpr cudnnConvolutionBwdDataAlgo_t data_gradient_algorithm = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;

/// Scratch memory lies in the arena, which a step's other tensors share: above this an algorithm is not worth it.
constexpr size_t most_workspace = size_t{1} << 30;

constexpr float one = 1, zero = 0;

int as_int(int64_t value) {
  require(value <= std::numeric_limits<int>::max(), "a tensor is too large for cuDNN: ", value);
  return static_cast<int>(value);
}

cudnnDataType_t type_of(DataType type) { return type == DataType::bfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT; }

ArenaTensor take_workspace(Arena& arena, size_t bytes) {
  return bytes == 0 ? ArenaTensor() : arena.take(DataType::uint8, Shape::vector(static_cast<int64_t>(bytes)));
}

}  // namespace

Cudnn::Cudnn(cudaStream_t stream, Arena& arena, bool tensor_float32) : arena_(arena), tensor_float32_(tensor_float32) {
  const VendorLibrary library("libcudnn.so." + std::to_string(CUDNN_MAJOR));
  Functions& f = functions_;
  library.find("cudnnCreate", f.create);
  library.find("cudnnDestroy", f.destroy);
  library.find("cudnnSetStream", f.set_stream);
  library.find("cudnnGetVersion", f.get_version);
  library.find("cudnnGetErrorString", f.error_string);
  library.find("cudnnCreateTensorDescriptor", f.create_tensor);
  library.find("cudnnSetTensor4dDescriptor", f.set_tensor);
  library.find("cudnnDestroyTensorDescriptor", f.destroy_tensor);
  library.find("cudnnCreateFilterDescriptor", f.create_filter);
  library.find("cudnnSetFilter4dDescriptor", f.set_filter);
  library.find("cudnnDestroyFilterDescriptor", f.destroy_filter);
  library.find("cudnnCreateConvolutionDescriptor", f.create_convolution);
  library.find("cudnnSetConvolution2dDescriptor", f.set_convolution);
  library.find("cudnnSetConvolutionMathType", f.set_math_type);
  library.find("cudnnDestroyConvolutionDescriptor", f.destroy_convolution);
  library.find("cudnnCreateActivationDescriptor", f.create_activation);
  library.find("cudnnSetActivationDescriptor", f.set_activation);
  library.find("cudnnDestroyActivationDescriptor", f.destroy_activation);
  library.find("cudnnGetConvolutionForwardWorkspaceSize", f.forward_workspace);
  library.find("cudnnConvolutionForward", f.forward);
  library.find("cudnnConvolutionBiasActivationForward", f.forward_with_bias);
  library.find("cudnnGetConvolutionBackwardFilterWorkspaceSize", f.weight_gradient_workspace);
  library.find("cudnnConvolutionBackwardFilter", f.weight_gradient);
  library.find("cudnnGetConvolutionBackwardDataWorkspaceSize", f.data_gradient_workspace);
  library.find("cudnnConvolutionBackwardData", f.data_gradient);
  handle_ = make(f.create, f.destroy);
  check(f.set_stream(handle_.get(), stream), "choosing a stream");
}

bool Cudnn::convolve(const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const Tensor& y) const {
  const auto x_is = describe(x), y_is = describe(y);
  const auto weight_is = describe_filter(weight);
  const auto convolution = describe(geometry, x.type);
  size_t bytes = 0;
  if (!is_done(functions_.forward_workspace(handle_.get(), x_is.get(), weight_is.get(), convolution.get(), y_is.get(),
                                            forward_algorithm, &bytes),
               "preparing a convolution") ||
      bytes > most_workspace)
    return false;
  const ArenaTensor workspace = take_workspace(arena_, bytes);
  if (!bias)
    return is_done(functions_.forward(handle_.get(), &one, x_is.get(), x.data, weight_is.get(), weight.data,
                                      convolution.get(), forward_algorithm, workspace.view().data, bytes, &zero,
                                      y_is.get(), y.data),
                   "convolving");
  const auto bias_is = describe(bias);
  const auto activation = identity();
  return is_done(functions_.forward_with_bias(handle_.get(), &one, x_is.get(), x.data, weight_is.get(), weight.data,
                                              convolution.get(), forward_algorithm, workspace.view().data, bytes,
                                              &zero, y_is.get(), y.data, bias_is.get(), bias.data, activation.get(),
                                              y_is.get(), y.data),
                 "convolving");
}

bool Cudnn::convolve_weight_gradient(const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                                     const Tensor& d_weight) const {
  const auto x_is = describe(x), d_y_is = describe(d_y);
  const auto d_weight_is = describe_filter(d_weight);
  const auto convolution = describe(geometry, x.type);
  size_t bytes = 0;
  if (!is_done(functions_.weight_gradient_workspace(handle_.get(), x_is.get(), d_y_is.get(), convolution.get(),
                                                    d_weight_is.get(), weight_gradient_algorithm, &bytes),
               "preparing a weight gradient") ||
      bytes > most_workspace)
    return false;
  const ArenaTensor workspace = take_workspace(arena_, bytes);
  return is_done(functions_.weight_gradient(handle_.get(), &one, x_is.get(), x.data, d_y_is.get(), d_y.data,
                                            convolution.get(), weight_gradient_algorithm, workspace.view().data, bytes,
                                            &zero, d_weight_is.get(), d_weight.data),
                 "computing a weight gradient");
}

bool Cudnn::convolve_data_gradient(const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                                   const Tensor& d_x) const {
  const auto d_y_is = describe(d_y), d_x_is = describe(d_x);
  const auto weight_is = describe_filter(weight);
  const auto convolution = describe(geometry, d_y.type);
  size_t bytes = 0;
  if (!is_done(functions_.data_gradient_workspace(handle_.get(), weight_is.get(), d_y_is.get(), convolution.get(),
                                                  d_x_is.get(), data_gradient_algorithm, &bytes),
               "preparing a data gradient") ||
      bytes > most_workspace)
    return false;
  const ArenaTensor workspace = take_workspace(arena_, bytes);
  return is_done(functions_.data_gradient(handle_.get(), &one, weight_is.get(), weight.data, d_y_is.get(), d_y.data,
                                          convolution.get(), data_gradient_algorithm, workspace.view().data, bytes,
                                          &zero, d_x_is.get(), d_x.data),
                 "computing a data gradient");
}

std::string Cudnn::version() const {
  const size_t number = functions_.get_version();  // 92400 is 9.24.0
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
         std::to_string(number % 100);
}

Cudnn::Owned<cudnnTensorDescriptor_t> Cudnn::describe(const Tensor& tensor) const {
  auto descriptor = make(functions_.create_tensor, functions_.destroy_tensor);
  const Shape& shape = tensor.shape;
  check(functions_.set_tensor(descriptor.get(), CUDNN_TENSOR_NHWC, type_of(tensor.type), as_int(shape.n),
                              as_int(shape.c), as_int(shape.h), as_int(shape.w)),
        "describing a tensor");
  return descriptor;
}

Cudnn::Owned<cudnnFilterDescriptor_t> Cudnn::describe_filter(const Tensor& weight) const {
  auto descriptor = make(functions_.create_filter, functions_.destroy_filter);
  const Shape& shape = weight.shape;
  check(functions_.set_filter(descriptor.get(), type_of(weight.type), CUDNN_TENSOR_NHWC, as_int(shape.n),
                              as_int(shape.c), as_int(shape.h), as_int(shape.w)),
        "describing a filter");
  return descriptor;
}

Cudnn::Owned<cudnnConvolutionDescriptor_t> Cudnn::describe(const Convolution& geometry, DataType type) const {
  auto descriptor = make(functions_.create_convolution, functions_.destroy_convolution);
  const int padding = as_int(geometry.padding), stride = as_int(geometry.stride);
  check(functions_.set_convolution(descriptor.get(), padding, padding, stride, stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                   CUDNN_DATA_FLOAT),
        "describing a convolution");
  const bool exact = type == DataType::float32 && !tensor_float32_;
  check(functions_.set_math_type(descriptor.get(), exact ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH),
        "choosing a precision");
  return descriptor;
}

Cudnn::Owned<cudnnActivationDescriptor_t> Cudnn::identity() const {
  auto descriptor = make(functions_.create_activation, functions_.destroy_activation);
  check(functions_.set_activation(descriptor.get(), CUDNN_ACTIVATION_IDENTITY, CUDNN_NOT_PROPAGATE_NAN, 0),
        "describing an activation");
  return descriptor;
}

bool Cudnn::is_done(cudnnStatus_t status, const char* what) const {
  // The details of NOT_SUPPORTED are numbers from it up to the next thousand.
  if (status / 1000 == CUDNN_STATUS_NOT_SUPPORTED / 1000) return false;
  check(status, what);
  return true;
}

void Cudnn::check(cudnnStatus_t status, const char* what) const {
  if (status == CUDNN_STATUS_SUCCESS) return;
  // In the same thousand: a part of the library is missing, or of another version.
  const bool is_unusable = status / 1000 == CUDNN_STATUS_NOT_INITIALIZED / 1000;
  const ErrorKind kind = is_unusable ? ErrorKind::device_unavailable : ErrorKind::internal;
  fail(kind, "cuDNN reports '", functions_.error_string(status), "' while ", what);
}

}  // namespace layerwise::cuda
