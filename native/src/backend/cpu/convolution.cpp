// Convolutions: as matrix products where they are nothing else, by Winograd's method, or direct.
#include <algorithm>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

namespace {

/// A convolution that multiplies each row of x, `depth` elements, by the same matrix of weights.
struct AsProduct {
  int64_t rows = 0;   // 0: it is not one
  int64_t depth = 0;
  int64_t outputs = 0;
  int64_t weight_offset = 0;  // of the elements that count, in each output's weights
  int64_t weight_stride = 0;  // from one output's weights to the next's

  explicit operator bool() const { return rows > 0; }
  Matrix x(const Tensor& tensor) const { return matrix_of(tensor, rows, depth); }
  Matrix y(const Tensor& tensor) const { return matrix_of(tensor, rows, outputs); }
  Matrix weight(const Tensor& tensor) const {
    const auto bytes = static_cast<int64_t>(size_of(tensor.type));
    return {tensor.as<char>() + weight_offset * bytes, tensor.type, outputs, depth, weight_stride, 1};
  }
};

AsProduct as_product(const Convolution& geometry, const Shape& x, const Shape& y) {
  const int64_t taps = geometry.kernel_height * geometry.kernel_width;
  const int64_t stride = taps * x.c;
  const bool pointwise = taps == 1 && geometry.stride == 1 && geometry.padding == 0;
  if (pointwise) return {x.n * x.positions(), x.c, y.c, 0, stride};
  const bool covers_input = geometry.padding == 0 && geometry.kernel_height == x.h && geometry.kernel_width == x.w;
  if (covers_input) return {x.n, x.features(), y.c, 0, stride};
  // On a 1×1 map only one tap of the kernel lies inside, unless the padding is wider than the kernel.
  const bool one_tap = geometry.padding < geometry.kernel_height && geometry.padding < geometry.kernel_width;
  if (x.positions() == 1 && y.positions() == 1 && one_tap) {
    const int64_t tap = geometry.padding * geometry.kernel_width + geometry.padding;
    return {x.n, x.c, y.c, tap * x.c, stride};
  }
  return {};
}

/// Whether Winograd's method is faster, a rule drawn from convolution_benchmark on Zen 4: there it takes the
/// forward pass and both gradients from 1.1 times (64 channels) to 1.9 times (128 and more) direct speed.
bool winograd_pays(const Shape& x, const Shape& y) {
  // With fewer the transforms outweigh products of so little depth: bfloat16 lost with 32.
  constexpr int64_t least_channels = 64;
  // The weights are transformed in each call, which costs about as much as products of 64 tiles.
  constexpr int64_t least_tiles = 256;
  const int64_t tiles_of_sample = (x.h + 1) / 2 * ((x.w + 1) / 2);
  // Multiplications per channel pair: direct ones leave out the padding, Winograd's do not. Odd maps below 9×9
  // save too few, 2×2 maps none.
  const int64_t direct = (3 * x.h - 2) * (3 * x.w - 2), winograd = 16 * tiles_of_sample;
  return std::min(x.c, y.c) >= least_channels && x.n * tiles_of_sample >= least_tiles && 2 * direct >= 3 * winograd;
}

/// Whether x is spread out, one row for each position of the output, for the weight gradient to be one matrix
/// product. That takes no more memory than the output, and the images that a first layer sees have too few channels
/// for oneDNN's own kernel, whose threads moreover wait for each other in a busy loop.
bool weight_gradient_by_columns(const Convolution& geometry, const Shape& x, const Shape& y) {
  return geometry.kernel_height * geometry.kernel_width * x.c <= y.c;
}

/// What lies under the kernel at output position (row, column) of an image: (kernel height, kernel width, channels),
/// 0 in the padding.
template <class A>
void spread_position(const Convolution& geometry, const A* image, const Shape& x, int64_t row, int64_t column,
                     A* under_kernel) {
  const int64_t top = row * geometry.stride - geometry.padding, left = column * geometry.stride - geometry.padding;
  const int64_t begin = std::clamp<int64_t>(-left, 0, geometry.kernel_width);
  const int64_t end = std::clamp(x.w - left, begin, geometry.kernel_width);
  for (int64_t y = top; y < top + geometry.kernel_height; ++y, under_kernel += geometry.kernel_width * x.c) {
    if (y < 0 || y >= x.h) {
      std::fill_n(under_kernel, geometry.kernel_width * x.c, A{});
      continue;
    }
    std::fill_n(under_kernel, begin * x.c, A{});
    std::copy_n(image + (y * x.w + left + begin) * x.c, (end - begin) * x.c, under_kernel + begin * x.c);
    std::fill_n(under_kernel + end * x.c, (geometry.kernel_width - end) * x.c, A{});
  }
}

void weight_gradient_of_columns(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                                const Tensor& d_weight) {
  const Shape& y = d_y.shape;
  const int64_t positions = y.n * y.positions(), depth = d_weight.shape.features();
  const ArenaTensor columns = device.arena.take(x.type, Shape::matrix(positions, depth));
  with_storage(x.type, [&](auto a) {
    using A = decltype(a);
    parallel_items(y.n * y.h, y.w * depth, [&](int64_t line) {
      const A* const image = x.as<A>() + line / y.h * x.shape.features();
      for (int64_t column = 0; column < y.w; ++column)
        spread_position(geometry, image, x.shape, line % y.h, column,
                        columns.view().as<A>() + (line * y.w + column) * depth);
    });
  });
  device.gemm.multiply(matrix_of(d_y, positions, y.c).transposed(), matrix_of(columns, positions, depth), nullptr,
                       matrix_of(d_weight, y.c, depth));
}

}  // namespace

bool by_winograd(const Device& device, const Convolution& geometry, const Shape& x, const Shape& y) {
  if (!Winograd::fits(geometry) || as_product(geometry, x, y)) return false;
  switch (device.engine) {
    case ConvolutionEngine::direct: return false;
    case ConvolutionEngine::winograd: return true;
    case ConvolutionEngine::automatic: return winograd_pays(x, y);
  }
  return false;
}

void convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y) {
  if (const AsProduct product = as_product(geometry, x.shape, y.shape))
    device.gemm.multiply(product.x(x), product.weight(weight).transposed(), bias.as<float>(), product.y(y));
  else if (by_winograd(device, geometry, x.shape, y.shape))
    with_storage(x.type, [&](auto a) {
      device.winograd.forward<decltype(a)>({geometry, x, weight, bias, y, ConvolutionForward::Moments::none, {}, {}});
    });
  else
    device.convolution.forward(geometry, x, weight, bias, y);
}

void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x) {
  if (const AsProduct product = as_product(geometry, d_x.shape, d_y.shape))
    device.gemm.multiply(product.y(d_y), product.weight(weight), nullptr, product.x(d_x));
  else if (by_winograd(device, geometry, d_x.shape, d_y.shape))
    with_storage(d_y.type, [&](auto a) { device.winograd.data_gradient<decltype(a)>(d_y, {}, weight, d_x); });
  else
    device.convolution.data_gradient(geometry, d_y, weight, d_x);
}

void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                              const Tensor& d_weight) {
  if (const AsProduct product = as_product(geometry, x.shape, d_y.shape)) {
    if (product.weight_stride != product.depth)  // the other taps
      std::fill_n(d_weight.as<float>(), d_weight.shape.elements(), 0.0f);
    device.gemm.multiply(product.y(d_y).transposed(), product.x(x), nullptr, product.weight(d_weight));
  } else if (by_winograd(device, geometry, x.shape, d_y.shape)) {
    with_storage(x.type, [&](auto a) {
      device.winograd.weight_gradient<decltype(a)>(x, d_y, SampleAffine(), d_weight);
    });
  } else if (weight_gradient_by_columns(geometry, x.shape, d_y.shape)) {
    weight_gradient_of_columns(device, geometry, x, d_y, d_weight);
  } else {
    device.convolution.weight_gradient(geometry, x, d_y, d_weight);
  }
}

}  // namespace layerwise::cpu
