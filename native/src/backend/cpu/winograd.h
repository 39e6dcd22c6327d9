// Convolutions with 3×3 kernels, stride 1 and padding 1 by Winograd's F(2×2, 3×3): 16 multiplications for
// each 2×2 outputs instead of 36, and the steps before and after the convolution done in its transforms.
#pragma once

#include "backend/backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/winograd_products.h"
#include "backend/cpu/winograd_tiles.h"

namespace layerwise::cpu {

/// v ↦ multiplier · (v − mean) per sample and channel, both (N, C); multiplier null: v itself.
struct SampleAffine {
  const float* multiplier = nullptr;
  const float* mean = nullptr;

  ChannelAffine of(int64_t sample, int64_t channels) const {
    if (multiplier == nullptr) return {};
    return {multiplier + sample * channels, mean + sample * channels};
  }
};

/// Activations, and the weights (O, 3, 3, I) that meet them, are of the storage type A, float or Bfloat16, as
/// are the factors of products where the processor multiplies A; sums and all other arithmetic are float32. How
/// sums are cut depends on the shapes alone. Temporaries come from the arena. All throw Error(internal) naming
/// the shapes where oneDNN fails.
class Winograd {
 public:
  Winograd(Arena& arena, const Loops& loops) : arena_(arena), loops_(loops) {}

  static bool fits(const Convolution& geometry) {
    return geometry.kernel_height == 3 && geometry.kernel_width == 3 && geometry.stride == 1 && geometry.padding == 1;
  }

  /// y = W ∗ x (+ bias; absent: none), with the moments of y before it is rounded to A.
  template <class A>
  void forward(const ConvolutionForward& op);

  /// d_x = Wᵀ ∗ affine(d_y).
  template <class A>
  void data_gradient(const Tensor& d_y, const SampleAffine& affine, const Tensor& weight, const Tensor& d_x);

  /// The data gradient of the similarity convolution and all that follows it in HiddenGradient: g, d_scale
  /// and d_shift. factors: of dropout, (N, C), or null.
  template <class A>
  void hidden_gradient(const HiddenGradient& op, const Tensor& d_z, const SampleAffine& affine, const float* factors);

  /// d_weight, float32, for d_y = affine(gradient).
  template <class A>
  void weight_gradient(const Tensor& x, const Tensor& gradient, const SampleAffine& affine, const Tensor& d_weight);

  /// d_weight for d_y = batch norm's gradient at y, from g; the coefficients are per channel.
  template <class A>
  void weight_gradient(const Tensor& x, const Tensor& g, const Tensor& y, const BatchNormBackward<A>& coefficients,
                       const Tensor& d_weight);

 private:
  template <class A, class P>
  const WinogradInputLoops<A, P>& inputs() const;
  template <class A>
  const WinogradOutputLoops<A>& outputs() const;

  /// body(P{}) for the type P in which transformed elements of A are multiplied.
  template <class A, class Body>
  void with_planes(const Body& body) const {
    if (loops_.multiplies_bfloat16)
      body(A{});
    else
      body(float{});
  }

  template <class A, class Finish>
  void convolve(const Tensor& input, const SampleAffine& affine, const Tensor& weight, bool transposed,
                const TileBlocks& blocks, const Finish& finish);
  template <class A, class P, class Finish>
  void convolve_as(const Tensor& input, const SampleAffine& affine, const Tensor& weight, bool transposed,
                   const TileBlocks& blocks, const Finish& finish);
  template <class A, class P, class GradientTiles>
  void accumulate_weight_gradient(const Tensor& x, int64_t outputs, const GradientTiles& gradient_tiles,
                                  const Tensor& d_weight);
  void finish_moments(const ConvolutionForward& op, const TileBlocks& blocks, const Tensor& sums);

  Arena& arena_;
  const Loops& loops_;
  WinogradProducts products_;
};

template <>
inline const WinogradInputLoops<float, float>& Winograd::inputs<float, float>() const {
  return loops_.winograd_float32_inputs;
}
template <>
inline const WinogradInputLoops<Bfloat16, Bfloat16>& Winograd::inputs<Bfloat16, Bfloat16>() const {
  return loops_.winograd_bfloat16_inputs;
}
template <>
inline const WinogradInputLoops<Bfloat16, float>& Winograd::inputs<Bfloat16, float>() const {
  return loops_.winograd_widened_inputs;
}
template <>
inline const WinogradOutputLoops<float>& Winograd::outputs<float>() const {
  return loops_.winograd_float32_outputs;
}
template <>
inline const WinogradOutputLoops<Bfloat16>& Winograd::outputs<Bfloat16>() const {
  return loops_.winograd_bfloat16_outputs;
}

}  // namespace layerwise::cpu
