// The inner loops of the CPU backend. Their sources (loops_*.cpp) are compiled once per vector
// extension; which copy runs is decided once, when a backend is made.
//
// Those sources are plain loops over pointers in a namespace of their own and include nothing that
// could emit an inline function: the linker keeps one copy of such a function, perhaps the one that
// needs instructions this processor lacks.
//
// Throughout, an array of `rows` or `positions` times `channels` elements is contiguous, channels
// innermost. Arrays never overlap, unless the comment says that one may be another.
#pragma once

#include <cstdint>

#include "backend/cpu/winograd_loops.h"

namespace layerwise::cpu {

/// The factors of dropout: Philox words below `threshold` become 0, the others `kept`.
/// counter and key are those of core/philox.h, without the running index.
struct DropoutSequence {
  uint32_t counter[3];
  uint32_t key[2];
  uint32_t threshold;
  float kept;
};

/// Scalars of one Adam or AMSGrad step; see OptimizerStep.
struct AdamScalars {
  float beta1, beta2;
  float rest1, rest2;     // 1 − β₁, 1 − β₂
  float weight_decay;
  float rate;             // lr / (1 − β₁ᵗ)
  float second_scale;     // 1 / sqrt(1 − β₂ᵗ)
  float epsilon;
};

struct Loops {
  const char* instructions;  // "avx512_bf16", "avx512", "avx2", "baseline"

  // ---- statistics (loops_statistics.cpp)

  /// Per channel, the mean over the rows and the sum of squared deviations from it. Blocks of rows that
  /// fit the nearest cache are read twice (mean, then deviations) and merged in double; constant
  /// channels give exactly 0. scratch: 3 · channels.
  void (*moments)(const float* x, int64_t rows, int64_t channels, float* scratch, double* mean, double* squares);

  /// Merges the moments of `other_count` rows into those of `count` rows (Chan, Golub, LeVeque 1979).
  void (*merge_moments)(double* mean, double* squares, int64_t count, const double* other_mean,
                        const double* other_squares, int64_t other_count, int64_t channels);

  /// merge_moments for `rows` rows given by a value near their mean and Σ and Σ² of the differences from it.
  void (*merge_sums)(double* mean, double* squares, int64_t count, const float* center, const float* sum,
                     const float* sum_of_squares, int64_t rows, int64_t channels);

  /// total += part; part = 0.
  void (*fold)(double* total, float* part, int64_t count);

  /// total += Σ over rows of x.
  void (*add_rows)(double* total, const float* x, int64_t rows, int64_t channels);

  // ---- forward (loops_forward.cpp)

  /// h = act((y − mean) · multiplier + shift [+ shortcut]); mean null: without batch norm.
  void (*normalize_activate)(const float* y, const float* mean, const float* multiplier, const float* shift,
                             const float* shortcut, float negative_slope, int64_t positions, int64_t channels,
                             float* h);

  /// Adds one row of a map, times `weight`, to the row of pooling windows it lies in. Column x belongs
  /// to window (x + padding) / kernel; columns beyond the last window are left out.
  void (*average_pool_row)(const float* h, int64_t width, int64_t channels, int64_t kernel, int64_t padding,
                           int64_t windows, float weight, float* pooled);

  /// The maxima over 2×2 windows of h · factor (per channel; null: 1).
  void (*max_pool_rows)(const float* upper, const float* lower, const float* factor, int64_t windows,
                        int64_t channels, float* output);

  /// output = h · factor (per channel).
  void (*scale_channels)(const float* h, const float* factor, int64_t positions, int64_t channels, float* output);

  /// factors[i] belongs to word first + i of the sequence; first is a multiple of 4.
  void (*dropout_factors)(const DropoutSequence& sequence, int64_t first, int64_t count, float* factors);

  // ---- gradients (loops_gradient.cpp)

  /// d_z = coefficient · (z − mean), per channel; d_z may be z.
  void (*deviation_gradient)(const float* z, const float* mean, const float* coefficient, int64_t positions,
                             int64_t channels, float* d_z);

  /// d_y = multiplier · (g − mean_g − (y − mean) · slope), per channel: the backward pass of batch norm; d_y
  /// may be g.
  void (*batch_norm_gradient)(const float* g, const float* y, const float* multiplier, const float* mean_g,
                              const float* mean, const float* slope, int64_t positions, int64_t channels, float* d_y);

  /// The decoder's output before bias and activation becomes the gradient there: with v = decoded + bias and
  /// e = act(v) − x, decoded = scale · e · act'(v). sum_gradient += that and sum_squares += e², over the positions.
  void (*reconstruction_gradient)(float* decoded, const float* bias, const float* x, float negative_slope,
                                  float scale, int64_t positions, int64_t channels, float* sum_gradient,
                                  float* sum_squares);

  /// Adds weight · d_pooled to one row of the map: the adjoint of average_pool_row.
  void (*average_unpool_row)(float* g, int64_t width, int64_t channels, int64_t kernel, int64_t padding,
                             int64_t windows, float weight, const float* d_pooled);

  /// Adds d_output · factor to the first maximum of each 2×2 window of h, in row order.
  void (*max_unpool_rows)(float* g_upper, float* g_lower, const float* upper, const float* lower,
                          const float* factor, int64_t windows, int64_t channels, const float* d_output);

  /// g += d_output · factor (per channel; null: 1).
  void (*add_scaled)(float* g, const float* d_output, const float* factor, int64_t positions, int64_t channels);

  /// g = g · act'(h). Where y is given, sum_g += g and sum_gy += g · (y − mean), over the positions.
  void (*activation_gradient)(float* g, const float* h, float negative_slope, const float* y, const float* mean,
                              int64_t positions, int64_t channels, float* sum_g, float* sum_gy);

  // ---- vectors (loops_vector.cpp)

  /// normalized = centred / (epsilon + norm) with centred = x − its mean; returns the norm of centred.
  double (*center_normalize)(const float* x, int64_t count, double epsilon, float* normalized);

  /// Turns the gradient at `normalized` into that at x, given the norm that center_normalize returned.
  void (*center_normalize_gradient)(float* gradient, const float* normalized, int64_t count, double epsilon,
                                    double norm);

  /// See OptimizerStep; velocity null: no momentum.
  void (*sgd)(float* weight, const float* gradient, float* velocity, int64_t count, float rate, float momentum,
              float weight_decay);

  /// See OptimizerStep; maximum null: Adam, else AMSGrad.
  void (*adam)(float* weight, const float* gradient, float* first, float* second, float* maximum, int64_t count,
               const AdamScalars& scalars);

  // ---- Winograd's transforms (loops_winograd_input.cpp, loops_winograd_output.cpp)

  WinogradLoops<float> winograd_float32;
  WinogradLoops<Bfloat16> winograd_bfloat16;
};

/// The loops for the best vector extensions that this processor has and ONEDNN_MAX_CPU_ISA allows:
/// oneDNN's switch holds for both.
const Loops& select_loops();

}  // namespace layerwise::cpu
