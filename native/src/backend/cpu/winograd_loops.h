// The transforms of Winograd's convolution F(2×2, 3×3), with the steps that are fused into them.
// Part of the table of loops (loops.h); A is the storage type of activations, float or Bfloat16, and
// all arithmetic is float32.
//
// With d a 4×4 tile of the padded input, g a 3×3 kernel and y the 2×2 tile of the output (Lavin, Gray 2016),
//   y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A,   Bᵀ = 1  0 −1  0    G =  1   0   0    Aᵀ = 1 1  1  0
//                                        0  1  1  0         ½   ½   ½         0 1 −1 −1
//                                        0 −1  1  0         ½  −½   ½
//                                        0  1  0 −1         0   0   1
// summed over input channels before Aᵀ[·]A. Its adjoint in g is the weight gradient
//   d_g = Gᵀ[Σ over tiles of (A d_y Aᵀ) ⊙ (Bᵀ d B)]G,
// and the data gradient is the convolution of d_y with the kernel turned by 180°.
//
// The 16 elements of a transformed tile lie in 16 planes, element (a, b) in plane 4a + b; a plane is a
// matrix with a row per tile and a column per channel.
#pragma once

#include <cstdint>

#include "core/bfloat16.h"

namespace layerwise::cpu {

/// One sample: height × width × channels.
template <class A>
struct FeatureMap {
  A* data = nullptr;
  int64_t height = 0, width = 0, channels = 0;
};

/// Rows of tiles of a sample; row r covers the map's rows 2r and 2r + 1.
struct TileRows {
  int64_t first = 0, count = 0;
};

template <class T>
struct TilePlanes {
  T* data = nullptr;
  int64_t plane_stride = 0, row_stride = 0;
};

/// v ↦ multiplier · (v − mean), per channel; multiplier null: v itself.
struct ChannelAffine {
  const float* multiplier = nullptr;
  const float* mean = nullptr;
};

/// (g, y) ↦ multiplier · (g − mean_g − (y − mean) · slope), per channel: the backward pass of batch norm.
/// y is the sample's map.
template <class A>
struct BatchNormBackward {
  const A* y = nullptr;
  const float* multiplier = nullptr;
  const float* mean_g = nullptr;
  const float* mean = nullptr;
  const float* slope = nullptr;
};

/// Per channel, a value near the mean and Σ and Σ² of the differences from it; center null: not wanted.
struct CenteredSums {
  float* center = nullptr;
  float* sum = nullptr;
  float* squares = nullptr;
};

/// What follows the data gradient in HiddenGradient, for one sample; all pointers but g and h may be null.
template <class A>
struct HiddenTiles {
  A* g = nullptr;
  const A* h = nullptr;
  float negative_slope = 0;
  const A* d_h = nullptr;
  const A* d_pooled = nullptr;   // window_rows × window_columns × channels
  int64_t kernel_height = 1, kernel_width = 1, padding_height = 0, padding_width = 0;
  int64_t window_rows = 0, window_columns = 0;
  const A* d_output = nullptr;
  const float* factor = nullptr;  // of dropout, per channel; null: 1
  bool max_pool = false;
  const A* y = nullptr;           // with it sum_g += g and sum_gy += g · (y − mean)
  const float* mean = nullptr;
  float* sum_g = nullptr;
  float* sum_gy = nullptr;
};

/// Transforms of operands; P is the type in which transformed elements are kept and multiplied: A, or float
/// where the processor cannot multiply A.
template <class A, class P>
struct WinogradInputLoops {
  /// Bᵀ d B of each tile of the rows; d is affine(map) and 0 outside it.
  void (*input_tiles)(const FeatureMap<const A>& map, const ChannelAffine& affine, TileRows rows,
                      const TilePlanes<P>& planes);

  /// A d Aᵀ of each 2×2 tile of the rows; d is affine(map), or batch norm's gradient at y, and 0 outside.
  void (*gradient_tiles)(const FeatureMap<const A>& map, const ChannelAffine& affine, TileRows rows,
                         const TilePlanes<P>& planes);
  void (*batch_norm_gradient_tiles)(const FeatureMap<const A>& g, const BatchNormBackward<A>& backward, TileRows rows,
                                    const TilePlanes<P>& planes);

  /// G g Gᵀ for the kernels (3, 3, channels) of one output, element p at planes[p · plane_stride + channel]; turned:
  /// by 180°.
  void (*weight_tiles)(const A* weight, int64_t channels, bool turned, P* planes, int64_t plane_stride);
};

/// Transforms of products back to maps.
template <class A>
struct WinogradOutputLoops {
  /// y = Aᵀ m A + bias (null: 0) for `channels` channels of y from first_channel on, to which column 0 of the planes
  /// belongs; bias and sums are those of the whole map. The sums are started, not added to.
  void (*output_tiles)(const TilePlanes<const float>& planes, TileRows rows, int64_t first_channel, int64_t channels,
                       const float* bias, const FeatureMap<A>& y, const CenteredSums& sums);

  /// g = (Aᵀ m A + d_h + average-unpool(d_pooled) + dropout'(max-unpool(d_output))) · act'(h), as output_tiles; g's
  /// data is in `tiles`. The sums are added to.
  void (*hidden_tiles)(const TilePlanes<const float>& planes, TileRows rows, int64_t first_channel, int64_t channels,
                       const FeatureMap<A>& map, const HiddenTiles<A>& tiles);
};

}  // namespace layerwise::cpu
