// The operations of backend/operations.h on the CPU, one file each, and what they share.
#pragma once

#include <cmath>

#include "backend/backend.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/onednn_convolution.h"
#include "backend/cpu/onednn_gemm.h"
#include "backend/cpu/winograd.h"

namespace layerwise::cpu {

/// Which convolutions are done by Winograd's method.
enum class ConvolutionEngine {
  automatic,  // those for which it pays, by the fixed rule in convolution.cpp
  direct,     // none
  winograd    // all for which it exists
};

struct Device {
  explicit Device(Arena& step_arena, ConvolutionEngine engine_of_convolutions = ConvolutionEngine::automatic)
      : engine(engine_of_convolutions), arena(step_arena), gemm(step_arena), convolution(step_arena),
        winograd(step_arena, loops) {}

  const Loops& loops = select_loops();
  const ConvolutionEngine engine;
  StepState step;
  Arena& arena;
  OnednnGemm gemm;
  OnednnConvolution convolution;
  Winograd winograd;
};

#define LAYERWISE_DECLARE(name, Operands) void name(Device& device, const Operands& op);
LAYERWISE_OPERATIONS(LAYERWISE_DECLARE)
#undef LAYERWISE_DECLARE
bool gradient_replaces_h(const Device& device, const HiddenGradient& op);

// Parts of operations that several of them need.

/// Whether the convolution of maps x to maps y, and both of its gradients, go by Winograd's method.
bool by_winograd(const Device& device, const Convolution& geometry, const Shape& x, const Shape& y);

/// body(A{}) for the storage type A that `type` names.
template <class Body>
void with_storage(DataType type, const Body& body) {
  if (type == DataType::bfloat16)
    body(Bfloat16{});
  else
    body(float{});
}

/// y = W ∗ x (+ bias), d_x = Wᵀ ∗ d_y, and the weight gradient: as matrix products where they are, by
/// Winograd's method where that is chosen, by oneDNN's convolution otherwise.
void convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& y);
void convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                            const Tensor& d_x);
void convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                              const Tensor& d_weight);

/// The factor, 0 or 1 / (1 − p), of each sample and channel: float32 (N, C). Absent without dropout.
ArenaTensor dropout_factors(Device& device, const Dropout& dropout, int64_t samples, int64_t channels);

/// d_deviation / ((positions − 1) · deviation), 0 where deviation is 0: float32 (N, C). Times (z − mean) it is
/// the gradient at z of standard deviations over positions.
ArenaTensor deviation_coefficients(Device& device, const Tensor& deviation, const Tensor& d_deviation,
                                   int64_t positions);

/// The coefficients of batch norm's backward pass per channel, as Loops::batch_norm_gradient takes them.
struct BatchNormCoefficients {
  BatchNormCoefficients(Device& device, const BatchNormGradient& op);

  ArenaTensor memory;
  float* multiplier;  // scale / sqrt(variance + ε)
  float* mean_g;      // d_shift / M
  float* slope;       // d_scale / (M · sqrt(variance + ε))
};

/// Scratch for `count` vectors of `length` elements, each on cache lines of its own: a matrix whose rows
/// may be longer than `length`.
ArenaTensor take_floats(Device& device, int64_t count, int64_t length);
ArenaTensor take_doubles(Device& device, int64_t count, int64_t length);

/// 1 / sqrt(variance + ε) of batch norm, in double.
inline double inverse_deviation(float variance) { return 1 / std::sqrt(variance + batch_norm_epsilon); }

}  // namespace layerwise::cpu
