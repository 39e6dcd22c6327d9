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

#include "backend/cpu/storage_loops.h"
#include "core/optimizer_rule.h"
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

/// A part of the vectors of an OptimizerStep. Absent ones are null.
struct OptimizerVectors {
  float* parameters;
  const float* gradients;
  float *first_moment, *second_moment, *maximum_second_moment, *average;
};

struct Loops {
  const char* instructions;  // "avx512_bf16", "avx512", "avx2", "baseline"

  // ---- statistics (loops_statistics.cpp)

  /// Merges the moments of `other_count` rows into those of `count` rows (Chan, Golub, LeVeque 1979).
  void (*merge_moments)(double* mean, double* squares, int64_t count, const double* other_mean,
                        const double* other_squares, int64_t other_count, int64_t channels);

  /// merge_moments for `rows` rows given by a value near their mean and Σ and Σ² of the differences from it.
  void (*merge_sums)(double* mean, double* squares, int64_t count, const float* center, const float* sum,
                     const float* sum_of_squares, int64_t rows, int64_t channels);

  /// total += part; part = 0.
  void (*fold)(double* total, float* part, int64_t count);

  // ---- forward (loops_forward.cpp)

  /// factors[i] belongs to word first + i of the sequence; first is a multiple of 4.
  void (*dropout_factors)(const DropoutSequence& sequence, int64_t first, int64_t count, float* factors);

  // ---- optimizers (loops_vector.cpp)

  /// See core/optimizer_rule.h; optim: a layerwise_optim.
  void (*optimizer_step)(int32_t optim, const OptimizerVectors& vectors, int64_t count,
                         const OptimizerScalars<float>& scalars);
  double (*sum_of_squares)(const float* values, int64_t count);

  // ---- activations in either storage type

  StorageLoops<float> float32;
  StorageLoops<Bfloat16> bfloat16;

  template <class A>
  const StorageLoops<A>& of() const;

  // ---- Winograd's transforms (loops_winograd_input.cpp, loops_winograd_output.cpp)

  WinogradInputLoops<float, float> winograd_float32_inputs;
  WinogradInputLoops<Bfloat16, Bfloat16> winograd_bfloat16_inputs;
  WinogradInputLoops<Bfloat16, float> winograd_widened_inputs;
  WinogradOutputLoops<float> winograd_float32_outputs;
  WinogradOutputLoops<Bfloat16> winograd_bfloat16_outputs;

  /// Gᵀ m G for one output, the adjoint of weight_tiles.
  void (*winograd_weight_gradient)(const float* planes, int64_t plane_stride, int64_t channels, float* d_weight);

  /// Whether this processor multiplies bfloat16 at twice the rate of float32.
  bool multiplies_bfloat16;
};

template <>
inline const StorageLoops<float>& Loops::of<float>() const {
  return float32;
}
template <>
inline const StorageLoops<Bfloat16>& Loops::of<Bfloat16>() const {
  return bfloat16;
}

/// What this processor, as far as ONEDNN_MAX_CPU_ISA allows, does with bfloat16: products at full speed,
/// products at the speed of float32, or nothing.
enum class Bfloat16Products { fast, slow, none };
Bfloat16Products bfloat16_products();

/// The loops for the best vector extensions that this processor has and ONEDNN_MAX_CPU_ISA allows:
/// oneDNN's switch holds for both.
const Loops& select_loops();

}  // namespace layerwise::cpu
