#include "backend/cuda/convolution_engines.h"

#include "backend/cuda/convert.h"
#include "backend/cuda/engines.h"

namespace layerwise::cuda {

namespace {

std::string size(const Shape& shape) {
  return std::to_string(shape.n) + "x" + std::to_string(shape.h) + "x" + std::to_string(shape.w) + "x" +
         std::to_string(shape.c);
}

const char* moments_name(ConvolutionForward::Moments kind) {
  switch (kind) {
    case ConvolutionForward::Moments::none: return "";
    case ConvolutionForward::Moments::channel: return " channel_moments";
    case ConvolutionForward::Moments::sample_channel: return " sample_channel_moments";
  }
  return "";
}

bool forward_by_library(Device& device, VendorEngine& vendor, const Convolution& geometry, const Tensor& x,
                        const Tensor& weight, const Tensor& bias, const Tensor& y) {
  if (is_matrix_product(geometry, x.shape)) {
    const int64_t rows = y.shape.n * y.shape.positions();
    MatrixProduct product{rows, y.shape.c, weight.shape.features(), x.data, weight.data, false, true, x.type, y};
    if (!bias) {
      vendor.multiply(product);
      return true;
    }
    const ArenaTensor sums = device.arena.take(DataType::float32, y.shape);  // y is rounded once
    product.c = sums;
    vendor.multiply(product);
    convert(device.stream, sums, bias, y);
    return true;
  }
  if (y.type != x.type) return false;
  if (!bias || bias.type == x.type) return vendor.convolve(geometry, x, weight, bias, y);
  const ArenaTensor rounded = device.arena.take(x.type, bias.shape);  // cuDNN's biases are of y's type
  convert(device.stream, bias, {}, rounded);
  return vendor.convolve(geometry, x, weight, rounded, y);
}

bool weight_gradient_by_library(Device& device, VendorEngine& vendor, const Convolution& geometry, const Tensor& x,
                                const Tensor& d_y, const Tensor& d_weight) {
  const Shape& y = d_y.shape;
  if (is_matrix_product(geometry, x.shape)) {
    vendor.multiply({y.c, d_weight.shape.features(), y.n * y.positions(), d_y.data, x.data, true, false,
                     x.type, d_weight});
    return true;
  }
  if (x.type == d_weight.type) return vendor.convolve_weight_gradient(geometry, x, d_y, d_weight);
  const ArenaTensor narrow = device.arena.take(x.type, d_weight.shape);  // cuDNN's is of x's type
  if (!vendor.convolve_weight_gradient(geometry, x, d_y, narrow)) return false;
  convert(device.stream, narrow, {}, d_weight);
  return true;
}

}  // namespace

std::string describe(const Device& device, const char* operation, const Convolution& geometry, const Shape& shape,
                     const Tensor& weight) {
  const char* type = device.activation_type == DataType::bfloat16 ? " bf16" : device.tensor_float32 ? " tf32" : " f32";
  return std::string(operation) + " " + size(shape) + " weight " + size(weight.shape) + " stride " +
         std::to_string(geometry.stride) + " padding " + std::to_string(geometry.padding) + type;
}

bool is_matrix_product(const Convolution& geometry, const Shape& x) {
  if (geometry.padding != 0) return false;
  const bool covers_all = geometry.kernel_height == x.h && geometry.kernel_width == x.w;
  const bool is_pointwise = geometry.kernel_height == 1 && geometry.kernel_width == 1 && geometry.stride == 1;
  return covers_all || is_pointwise;
}

const char* library_for(const Convolution& geometry, const Shape& x) {
  return is_matrix_product(geometry, x) ? "cublas" : "cudnn";
}

bool data_gradient_by_library(VendorEngine& vendor, const Convolution& geometry, const Tensor& d_y,
                              const Tensor& weight, const Tensor& d_x) {
  if (is_matrix_product(geometry, d_x.shape)) {
    vendor.multiply({d_y.shape.n * d_y.shape.positions(), weight.shape.features(), d_y.shape.c, d_y.data, weight.data,
                     false, false, d_y.type, d_x});
    return true;
  }
  return d_x.type == d_y.type && vendor.convolve_data_gradient(geometry, d_y, weight, d_x);
}

void convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y, const OutputMoments& moments) {
  const std::string operation = describe(device, "convolve", geometry, x.shape, weight) + (bias ? " bias" : "") +
                                moments_name(moments.kind) + (y.type == x.type ? "" : " wide");
  device.engines.run(
      operation, [&] { fused::convolve(device, geometry, x, weight, bias, y, moments); },
      library_for(geometry, x.shape), [&](VendorEngine& vendor) {
        if (!forward_by_library(device, vendor, geometry, x, weight, bias, y)) return false;
        if (moments.kind != ConvolutionForward::Moments::none)
          moments_of_tensor(device, {moments.kind, y, moments.mean, moments.spread});
        return true;
      });
}

void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                              const Tensor& d_weight) {
  device.engines.run(
      describe(device, "convolve_weight_gradient", geometry, x.shape, d_weight),
      [&] { fused::convolve_weight_gradient(device, geometry, x, d_y, d_weight); }, library_for(geometry, x.shape),
      [&](VendorEngine& vendor) {
        return weight_gradient_by_library(device, vendor, geometry, x, d_y, d_weight);
      });
}

void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x) {
  device.engines.run(
      describe(device, "convolve_data_gradient", geometry, d_x.shape, weight) + (d_x.type == d_y.type ? "" : " wide"),
      [&] { fused::convolve_data_gradient(device, geometry, d_y, weight, d_x); }, library_for(geometry, d_x.shape),
      [&](VendorEngine& vendor) { return data_gradient_by_library(vendor, geometry, d_y, weight, d_x); });
}

}  // namespace layerwise::cuda
