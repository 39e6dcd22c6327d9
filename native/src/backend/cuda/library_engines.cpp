// Products by NVIDIA's libraries: cuBLAS for what is one matrix product, cuDNN for other convolutions.
#include "backend/cuda/convert.h"
#include "backend/cuda/engines.h"

namespace layerwise::cuda {

namespace {

bool forward(Device& device, VendorEngine& vendor, const Product& product) {
  const Tensor &x = product.x, &weight = product.weight, &bias = product.bias, &y = product.y;
  if (product.is_matrix_product()) {
    const int64_t rows = y.shape.n * y.shape.positions();
    MatrixProduct matrices{rows, y.shape.c, weight.shape.features(), x.data, weight.data, false, true, x.type, y};
    if (!bias) {
      vendor.multiply(matrices);
      return true;
    }
    const ArenaTensor sums = device.arena.take(DataType::float32, y.shape);  // y is rounded once
    matrices.c = sums;
    vendor.multiply(matrices);
    convert(device.stream, sums, bias, y);
    return true;
  }
  if (!bias || bias.type == x.type) return vendor.convolve(product.geometry, x, weight, bias, y);
  const ArenaTensor rounded = device.arena.take(x.type, bias.shape);  // cuDNN's biases are of y's type
  convert(device.stream, bias, {}, rounded);
  return vendor.convolve(product.geometry, x, weight, rounded, y);
}

bool weight_gradient(Device& device, VendorEngine& vendor, const Product& product) {
  const Tensor &x = product.x, &d_weight = product.weight, &d_y = product.y;
  if (product.is_matrix_product()) {
    vendor.multiply({d_y.shape.c, d_weight.shape.features(), d_y.shape.n * d_y.shape.positions(), d_y.data, x.data,
                     true, false, x.type, d_weight});
    return true;
  }
  if (x.type == d_weight.type) return vendor.convolve_weight_gradient(product.geometry, x, d_y, d_weight);
  const ArenaTensor narrow = device.arena.take(x.type, d_weight.shape);  // cuDNN's is of x's type
  if (!vendor.convolve_weight_gradient(product.geometry, x, d_y, narrow)) return false;
  convert(device.stream, narrow, {}, d_weight);
  return true;
}

bool data_gradient(VendorEngine& vendor, const Product& product, const Tensor& d_x) {
  const Tensor &weight = product.weight, &d_y = product.y;
  if (product.is_matrix_product()) {
    vendor.multiply({d_y.shape.n * d_y.shape.positions(), weight.shape.features(), d_y.shape.c, d_y.data, weight.data,
                     false, false, d_y.type, d_x});
    return true;
  }
  return vendor.convolve_data_gradient(product.geometry, d_y, weight, d_x);
}

/// The branch's data gradient is stored, then the rest as for a gradient at h from elsewhere.
bool hidden_gradient(Device& device, VendorEngine& vendor, const Product& product) {
  const ArenaTensor branch = device.arena.take(product.hidden->h.type, product.hidden->h.shape);
  if (!data_gradient(vendor, product, branch)) return false;
  HiddenGradient rest = *product.hidden;
  rest.similarity_weight = {};
  rest.d_h = branch;
  fused::hidden_gradient(device, rest, {});
  return true;
}

bool is_supported(const Device& device, const Product& product, bool matrix_product) {
  if (device.engines.vendor == nullptr || product.is_matrix_product() != matrix_product) return false;
  // cuDNN's operands are all of one type.
  const bool one_type = product.x.type == product.y.type;
  if (!matrix_product && product.kind != Product::Kind::weight_gradient && !one_type) return false;
  return product.kind != Product::Kind::hidden_gradient || !product.hidden->d_h;
}

}  // namespace

bool supports_cublas(const Device& device, const Product& product) { return is_supported(device, product, true); }
bool supports_cudnn(const Device& device, const Product& product) { return is_supported(device, product, false); }

bool run_by_library(Device& device, const Product& product) {
  VendorEngine& vendor = *device.engines.vendor;
  launch_order.interrupt();
  switch (product.kind) {
    case Product::Kind::convolution:
      if (!forward(device, vendor, product)) return false;
      if (product.moments.kind != ConvolutionForward::Moments::none)
        moments_of_tensor(device, {product.moments.kind, product.y, product.moments.mean, product.moments.spread});
      return true;
    case Product::Kind::weight_gradient: return weight_gradient(device, vendor, product);
    case Product::Kind::data_gradient: return data_gradient(vendor, product, product.x);
    case Product::Kind::hidden_gradient: return hidden_gradient(device, vendor, product);
  }
  return false;
}

}  // namespace layerwise::cuda
