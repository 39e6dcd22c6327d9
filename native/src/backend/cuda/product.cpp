#include "backend/cuda/product.h"

#include "backend/cuda/engines/engines.h"

namespace layerwise::cuda {

namespace {

std::string size(const Shape& shape) {
  return std::to_string(shape.n) + "x" + std::to_string(shape.h) + "x" + std::to_string(shape.w) + "x" +
         std::to_string(shape.c);
}

const char* name_of(Product::Kind kind) {
  switch (kind) {
    case Product::Kind::convolution: return "convolve ";
    case Product::Kind::weight_gradient: return "convolve_weight_gradient ";
    case Product::Kind::data_gradient: return "convolve_data_gradient ";
    case Product::Kind::hidden_gradient: return "hidden_gradient ";
  }
  return "";
}

const char* name_of(ConvolutionForward::Moments moments) {
  switch (moments) {
    case ConvolutionForward::Moments::none: return "";
    case ConvolutionForward::Moments::channel: return " channel_moments";
    case ConvolutionForward::Moments::sample_channel: return " sample_channel_moments";
  }
  return "";
}

}  // namespace

bool Product::is_matrix_product() const {
  if (geometry.padding != 0) return false;
  const bool covers_all = geometry.kernel_height == x.shape.h && geometry.kernel_width == x.shape.w;
  const bool is_pointwise = geometry.kernel_height == 1 && geometry.kernel_width == 1 && geometry.stride == 1;
  return covers_all || is_pointwise;
}

std::string Product::describe(const Device& device) const {
  const char* type = device.activation_type == DataType::bfloat16 ? " bf16" : device.tensor_float32 ? " tf32" : " f32";
  const bool wide = kind != Kind::weight_gradient && x.type != y.type;
  return name_of(kind) + size(x.shape) + " weight " + size(weight.shape) + " stride " +
         std::to_string(geometry.stride) + " padding " + std::to_string(geometry.padding) + type +
         (bias ? " bias" : "") + name_of(moments.kind) + (wide ? " wide" : "");
}

std::vector<Tensor> Product::outputs() const {
  std::vector<Tensor> all;
  switch (kind) {
    case Kind::convolution: all = {y, moments.mean, moments.spread}; break;
    case Kind::weight_gradient: all = {weight}; break;
    case Kind::data_gradient: all = {x}; break;
    case Kind::hidden_gradient: all = {hidden->g, hidden->d_scale, hidden->d_shift}; break;
  }
  std::vector<Tensor> present;
  for (const Tensor& output : all)
    if (output) present.push_back(output);
  return present;
}

void run(Device& device, const Product& product) { device.engines.run(device, product); }

void convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y, const OutputMoments& moments) {
  run(device, {Product::Kind::convolution, geometry, x, weight, y, bias, moments});
}

void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                              const Tensor& d_weight) {
  run(device, {Product::Kind::weight_gradient, geometry, x, d_weight, d_y});
}

void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x) {
  run(device, {Product::Kind::data_gradient, geometry, d_x, weight, d_y});
}

}  // namespace layerwise::cuda
