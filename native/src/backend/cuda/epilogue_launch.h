// What the epilogues of convolutions (epilogues.cuh, hidden_epilogue.cuh) need before and after the kernel that they are a
// part of, whoever's kernel that is.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "backend/cuda/convolution.h"
#include "backend/cuda/hidden_epilogue.cuh"
#include "backend/cuda/implicit_gemm_launch.h"
#include "backend/cuda/merge_moments.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

/// Calls run(), which launches the kernel with `epilogue`, and has it take the moments of y, where they are asked for, over
/// groups of `rows_per_piece` rows.
template <class Epilogue, class Run>
void with_moments(const Device& device, const OutputMoments& moments, const Shape& y, const Tensor& bias,
                  int64_t rows_per_piece, Epilogue& epilogue, const Run& run) {
  if (moments.kind == ConvolutionForward::Moments::none) return run();
  const bool per_sample = moments.kind == ConvolutionForward::Moments::sample_channel;
  const int64_t samples = per_sample ? y.n : 1;
  const int64_t positions = y.n * y.positions() / samples;
  const int64_t slots = (positions + rows_per_piece - 1) / rows_per_piece + (samples > 1 ? 1 : 0);
  const MomentPieceLayout layout{samples, slots, y.c, positions, rows_per_piece, false};
  const ArenaTensor pieces = device.arena.take(DataType::float32, {layout.samples, layout.slots, y.c, 2});
  epilogue.moments = {static_cast<float2*>(pieces.view().data), Divisor(layout.positions),
                      static_cast<int>(layout.slots)};
  run();
  merge_moments(device, layout, pieces, bias, per_sample, moments.mean, moments.spread);
}

/// Calls run(output), which launches the kernel that writes a weight gradient's sum in `pieces` pieces, each of d_weight's
/// elements, and adds them up. A single piece is written straight to d_weight, if the kernel can do that: where it
/// `writes_fours`, neighbours at an aligned address, it may not, since a gradient lies behind others in one vector.
template <class Run>
void with_weight_pieces(const Device& device, const Tensor& d_weight, int64_t pieces, bool writes_fours, const Run& run) {
  const Shape& shape = d_weight.shape;
  if (pieces == 1 && (!writes_fours || has_fours(d_weight.as<float>(), shape.features())))
    return run(d_weight.as<float>());
  const ArenaTensor parts = device.arena.take(DataType::float32, {pieces, 1, shape.n, shape.features()});
  run(parts.view().as<float>());
  sum_pieces(device, d_weight, parts, static_cast<int>(pieces));
}

/// (N, C) factors of dropout, or absent where nothing is dropped. (hidden_gradient.cu)
ArenaTensor dropout_factors(const Device& device, const HiddenGradient& op);

/// `dropout`: the factors, or absent.
template <class T, class Order>
HiddenEpilogue<T, Order> hidden_epilogue(const HiddenGradient& op, const Tensor& dropout) {
  const Shape& map = op.h.shape;
  HiddenEpilogue<T, Order> e{};
  e.g = op.g.as<T>();
  e.h = op.h.as<T>();
  e.rows = as_int(map.n * map.positions());
  e.channels = static_cast<int>(map.c);
  e.height = static_cast<int>(map.h);
  e.width = static_cast<int>(map.w);
  e.area = Divisor(map.positions());
  e.row_width = Divisor(map.w);
  e.negative_slope = static_cast<float>(op.negative_slope);
  const AveragePooling& pooling = op.average_pooling;
  e.d_pooled = op.d_pooled.as<T>();
  e.pool_height = Divisor(pooling.kernel_height);
  e.pool_width = Divisor(pooling.kernel_width);
  e.pool_padding_height = static_cast<int>(pooling.padding_height);
  e.pool_padding_width = static_cast<int>(pooling.padding_width);
  e.pooled_height = static_cast<int>(op.d_pooled.shape.h);
  e.pooled_width = static_cast<int>(op.d_pooled.shape.w);
  e.pooled_weight = 1.0f / static_cast<float>(pooling.kernel_height * pooling.kernel_width);
  e.d_output = op.d_output.as<T>();
  e.max_pool = op.max_pool;
  e.output_height = static_cast<int>(op.d_output.shape.h);
  e.output_width = static_cast<int>(op.d_output.shape.w);
  e.dropout = dropout.as<float>();
  e.d_h = op.d_h.as<T>();
  e.y = op.y.as<T>();
  e.mean_y = op.mean_y.as<float>();
  return e;
}

/// Whether four neighbouring channels of every map lie at an aligned address.
template <class T>
bool maps_have_fours(const HiddenGradient& op) {
  const std::initializer_list<const Tensor*> maps = {&op.g, &op.h, &op.d_pooled, &op.d_output, &op.d_h, &op.y};
  return std::all_of(maps.begin(), maps.end(),
                     [&](const Tensor* map) { return has_fours(static_cast<const T*>(map->as<T>()), op.h.shape.c); });
}

/// Calls run(epilogue), which launches the kernel. `rows_per_group`: of the rows whose sums for batch norm are taken together.
template <class T, class Order, class Run>
void with_hidden_epilogue(const Device& device, const HiddenGradient& op, const Order& order, int rows_per_group,
                          const Run& run) {
  const ArenaTensor dropout = dropout_factors(device, op);
  HiddenEpilogue<T, Order> epilogue = hidden_epilogue<T, Order>(op, dropout);
  epilogue.order = order;
  const int64_t groups = (epilogue.rows + rows_per_group - 1) / rows_per_group;
  ArenaTensor pairs;
  if (op.y) {
    pairs = device.arena.take(DataType::float32, {groups, 1, op.h.shape.c, 2});
    epilogue.pairs = static_cast<float2*>(pairs.view().data);
  }
  run(epilogue);
  if (op.y) sum_pairs(device, pairs, groups, op.d_shift, op.d_scale, op.variance_y);
}

}  // namespace layerwise::cuda
