// The loops that read or write activations: part of the table of loops (loops.h). A is the storage type of
// activations, float or Bfloat16; all arithmetic is float32 or wider, each element is rounded once.
#pragma once

#include <cstdint>

#include "core/bfloat16.h"

namespace layerwise::cpu {

template <class A>
struct StorageLoops {
  // ---- storage (loops_vector.cpp)

  void (*widen)(const A* from, int64_t count, float* to);
  void (*narrow)(const float* from, int64_t count, A* to);

  // ---- statistics (loops_statistics.cpp)

  /// Per channel, the mean over the rows and the sum of squared deviations from it. Blocks of rows that
  /// fit the nearest cache are read twice (mean, then deviations) and merged in double; constant
  /// channels give exactly 0. scratch: 3 · channels.
  void (*moments)(const A* x, int64_t rows, int64_t channels, float* scratch, double* mean, double* squares);

  /// total += Σ over rows of x.
  void (*add_rows)(double* total, const A* x, int64_t rows, int64_t channels);

  // ---- forward (loops_forward.cpp)

  /// h = act((y − mean) · multiplier + shift [+ shortcut]); mean null: without batch norm.
  void (*normalize_activate)(const A* y, const float* mean, const float* multiplier, const float* shift,
                             const A* shortcut, float negative_slope, int64_t positions, int64_t channels, A* h);

  /// Adds one row of a map, times `weight`, to the row of pooling windows it lies in. Column x belongs
  /// to window (x + padding) / kernel; columns beyond the last window are left out.
  void (*average_pool_row)(const A* h, int64_t width, int64_t channels, int64_t kernel, int64_t padding,
                           int64_t windows, float weight, float* pooled);

  /// The maxima over 2×2 windows of h · factor (per channel; null: 1).
  void (*max_pool_rows)(const A* upper, const A* lower, const float* factor, int64_t windows, int64_t channels,
                        A* output);

  /// output = h · factor (per channel).
  void (*scale_channels)(const A* h, const float* factor, int64_t positions, int64_t channels, A* output);

  // ---- gradients (loops_gradient.cpp)

  /// sum += addend.
  void (*add)(const A* addend, int64_t count, A* sum);

  /// d_z = coefficient · (z − mean), per channel; d_z may be z.
  void (*deviation_gradient)(const A* z, const float* mean, const float* coefficient, int64_t positions,
                             int64_t channels, A* d_z);

  /// d_y = multiplier · (g − mean_g − (y − mean) · slope) [+ addend], the former per channel: the backward pass
  /// of batch norm; d_y may be g.
  void (*batch_norm_gradient)(const A* g, const A* y, const float* multiplier, const float* mean_g, const float* mean,
                              const float* slope, const A* addend, int64_t positions, int64_t channels, A* d_y);

  /// The decoder's output before bias and activation becomes the gradient there: with v = decoded + bias and
  /// e = act(v) − x, decoded = scale · e · act'(v). sum_gradient += that and sum_squares += e², over the positions.
  void (*reconstruction_gradient)(A* decoded, const float* bias, const A* x, float negative_slope, float scale,
                                  int64_t positions, int64_t channels, float* sum_gradient, float* sum_squares);

  /// Adds weight · d_pooled to one row of the map: the adjoint of average_pool_row.
  void (*average_unpool_row)(float* g, int64_t width, int64_t channels, int64_t kernel, int64_t padding,
                             int64_t windows, float weight, const A* d_pooled);

  /// Adds d_output · factor to the first maximum of each 2×2 window of h, in row order.
  void (*max_unpool_rows)(float* g_upper, float* g_lower, const A* upper, const A* lower, const float* factor,
                          int64_t windows, int64_t channels, const A* d_output);

  /// g += d_output · factor (per channel; null: 1).
  void (*add_scaled)(float* g, const A* d_output, const float* factor, int64_t positions, int64_t channels);

  /// g = dh · act'(h). Where y is given, sum_g += g and sum_gy += g · (y − mean), over the positions. g may be dh.
  void (*activation_gradient)(const float* dh, const A* h, float negative_slope, const A* y, const float* mean,
                              int64_t positions, int64_t channels, float* sum_g, float* sum_gy, A* g);

  // ---- vectors (loops_vector.cpp)

  /// normalized = centred / (epsilon + norm) with centred = x − its mean; returns the norm of centred.
  double (*center_normalize)(const A* x, int64_t count, double epsilon, float* normalized);

  /// d_x from the gradient at `normalized`, given the norm that center_normalize returned; d_x may be gradient.
  void (*center_normalize_gradient)(const float* gradient, const float* normalized, int64_t count, double epsilon,
                                    double norm, A* d_x);
};

}  // namespace layerwise::cpu
