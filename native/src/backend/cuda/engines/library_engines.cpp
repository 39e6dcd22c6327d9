// Products by NVIDIA's libraries: cuBLAS for what is one matrix product, cuDNN for other convolutions.
#include "backend/cuda/convert.h"
#include "backend/cuda/engines/engines.h"
#include "backend/cuda/launch_order.h"

namespace layerwise::cuda {

namespace {

/// What of a product is asked of a library: its convolution or gradient. That of a hidden gradient is the similarity
/// branch's data gradient, a tensor that has no data yet.
ConvolutionProduct convolution_of(const Product& product) {
  ConvolutionProduct convolution{ConvolutionProduct::Kind::convolution, product.geometry, product.x, product.weight,
                                 product.y, product.bias};
  switch (product.kind) {
    case Product::Kind::convolution: break;
    case Product::Kind::weight_gradient: convolution.kind = ConvolutionProduct::Kind::weight_gradient; break;
    case Product::Kind::data_gradient: convolution.kind = ConvolutionProduct::Kind::data_gradient; break;
    case Product::Kind::hidden_gradient:
      convolution.kind = ConvolutionProduct::Kind::data_gradient;
      convolution.x = {nullptr, product.hidden->h.type, product.hidden->h.shape};
      break;
  }
  return convolution;
}

/// One that is a matrix product.
bool multiply(Device& device, const ConvolutionProduct& product) {
  VendorEngine& vendor = *device.engines.vendor;
  const Tensor &x = product.x, &weight = product.weight, &y = product.y;
  const int64_t rows = y.shape.n * y.shape.positions(), features = weight.shape.features();
  switch (product.kind) {
    case ConvolutionProduct::Kind::convolution: {
      MatrixProduct matrices{rows, y.shape.c, features, x.data, weight.data, false, true, x.type, y};
      if (!product.bias) {
        vendor.multiply(matrices);
        break;
      }
      const ArenaTensor sums = device.arena.take(DataType::float32, y.shape);  // y is rounded once
      matrices.c = sums;
      vendor.multiply(matrices);
      convert(device.stream, sums, product.bias, y);
      break;
    }
    case ConvolutionProduct::Kind::weight_gradient:
      vendor.multiply({y.shape.c, features, rows, y.data, x.data, true, false, x.type, weight});
      break;
    case ConvolutionProduct::Kind::data_gradient:
      vendor.multiply({rows, features, y.shape.c, y.data, weight.data, false, false, y.type, x});
      break;
  }
  return true;
}

/// A product of which `convolve` does the convolution or gradient. False where that returns false.
template <class Convolve>
bool run_around(Device& device, const Product& product, const Convolve& convolve) {
  launch_order.interrupt();  // kernels that follow are not launched before the library's have ended
  ConvolutionProduct convolution = convolution_of(product);
  if (product.kind != Product::Kind::hidden_gradient) {
    if (!convolve(convolution)) return false;
    if (product.moments.kind != ConvolutionForward::Moments::none)
      moments_of_tensor(device, {product.moments.kind, product.y, product.moments.mean, product.moments.spread});
    return true;
  }
  // The branch's data gradient is stored, then the rest as for a gradient at h from elsewhere.
  const ArenaTensor branch = device.arena.take(convolution.x.type, convolution.x.shape);
  convolution.x = branch;
  if (!convolve(convolution)) return false;
  HiddenGradient rest = *product.hidden;
  rest.similarity_weight = {};
  rest.d_h = branch;
  fused::hidden_gradient(device, rest, {});
  return true;
}

bool is_supported(const Device& device, const Product& product, bool matrix_product) {
  if (device.engines.vendor == nullptr || product.is_matrix_product() != matrix_product) return false;
  return product.kind != Product::Kind::hidden_gradient || !product.hidden->d_h;
}

}  // namespace

bool supports_cublas(const Device& device, const Product& product) { return is_supported(device, product, true); }
bool supports_cudnn(const Device& device, const Product& product) { return is_supported(device, product, false); }

bool run_by_cublas(Device& device, const Product& product, const std::string&) {
  return run_around(device, product, [&](const ConvolutionProduct& part) { return multiply(device, part); });
}

bool run_by_cudnn(Device& device, const Product& product, const std::string& plan) {
  return run_around(device, product,
                    [&](const ConvolutionProduct& part) { return device.engines.vendor->convolve(part, plan); });
}

std::vector<std::string> plans_of_cudnn(Device& device, const Product& product) {
  return device.engines.vendor->plans(convolution_of(product));
}

}  // namespace layerwise::cuda
