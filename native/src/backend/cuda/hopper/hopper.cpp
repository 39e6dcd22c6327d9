#include "backend/cuda/hopper/hopper.h"

namespace layerwise::cuda {

namespace {

#if defined(LAYERWISE_CUDA_ON_HOST) || defined(LAYERWISE_HOPPER_CODE)
constexpr bool is_compiled = true;
#else
constexpr bool is_compiled = false;
#endif

bool is_hopper(const cudaDeviceProp& properties) { return properties.major == 9 && properties.minor == 0; }

/// Kernels count in int, also what they add to positions.
constexpr int64_t most_positions = int64_t{1} << 28;

/// Eights of channels at aligned addresses.
bool has_eights(const Tensor& map) {
  return map.shape.c % 8 == 0 && reinterpret_cast<uintptr_t>(map.data) % 16 == 0;
}

bool is_narrow_with_eights(const Tensor& map) { return map.type == DataType::bfloat16 && has_eights(map); }

bool is_like_vgg(const Convolution& geometry) {
  return geometry.kernel_height == 3 && geometry.kernel_width == 3 && geometry.stride == 1 && geometry.padding == 1;
}

}  // namespace

bool hopper::works_on(const cudaDeviceProp& properties) { return is_compiled && is_hopper(properties); }

void hopper::require_device(const cudaDeviceProp& properties, Precision precision) {
  if (!is_hopper(properties))
    fail(ErrorKind::device_unavailable, "the engine 'hopper' needs a GPU of compute capability 9.0, and ", properties.name,
         " has ", properties.major, ".", properties.minor, "; the engines 'fused' and 'auto' work on it");
  if (!is_compiled)
    fail(ErrorKind::device_unavailable, "this build has no code for the engine 'hopper': 90a-real is not among its ",
         "LAYERWISE_CUDA_ARCHITECTURES; the engines 'fused' and 'auto' work");
  require(precision != Precision::f32, "the engine 'hopper' multiplies bfloat16 only; use precision bf16, or the engine ",
          "'fused' or 'auto'");
}

bool hopper::supports(const Device& device, const Product& product) {
  if (!device.has_warpgroups || !is_like_vgg(product.geometry)) return false;
  if (product.x.shape.n * product.x.shape.positions() >= most_positions) return false;  // fused says what is wrong
  switch (product.kind) {
    case Product::Kind::convolution:
      return is_narrow_with_eights(product.x) && is_narrow_with_eights(product.weight) &&
             is_narrow_with_eights(product.y);
    case Product::Kind::weight_gradient: return is_narrow_with_eights(product.x) && is_narrow_with_eights(product.y);
    case Product::Kind::data_gradient:
      return is_narrow_with_eights(product.y) && is_narrow_with_eights(product.weight) && has_eights(product.x);
    case Product::Kind::hidden_gradient: {
      const HiddenGradient& hidden = *product.hidden;
      const auto fits = [](const Tensor& map) { return !map || is_narrow_with_eights(map); };
      return fits(product.y) && fits(product.weight) && fits(hidden.g) && fits(hidden.h) && fits(hidden.y) &&
             fits(hidden.d_h) && fits(hidden.d_output) && fits(hidden.d_pooled);
    }
  }
  return false;
}

}  // namespace layerwise::cuda
