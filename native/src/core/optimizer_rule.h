// How an optimizer changes one parameter, the same for every device. layerwise_optimizer has the formulas.
//
// The functions are static and always inlined: the CPU's loops compile them once per vector extension, and the linker
// must not keep one copy for all (see backend/cpu/loops.h).
#pragma once

#include <cstdint>
#include <type_traits>

#ifdef __CUDACC__
#include <cmath>
#endif

#include "core/host_device.h"
#include "layerwise.h"

namespace layerwise {

/// Adam, without weight decay.
constexpr layerwise_optimizer default_optimizer{LAYERWISE_OPTIM_ADAM, 0, 0, 0, 0, 1, 1, 0, 0, 0.5};

constexpr double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;

LAYERWISE_ALWAYS_INLINE float square_root(float x) {
#ifdef __CUDACC__
  return sqrtf(x);
#else
  return __builtin_sqrtf(x);
#endif
}

LAYERWISE_ALWAYS_INLINE double square_root(double x) {
#ifdef __CUDACC__
  return sqrt(x);
#else
  return __builtin_sqrt(x);
#endif
}

/// What all parameters have in common in one step; Real: float or double.
template <class Real>
struct OptimizerScalars {
  Real rate;          // lr / (1 − β₁ᵗ); lr for sgd
  Real second_scale;  // 1 / sqrt(1 − β₂ᵗ); 1 for sgd
  Real momentum, weight_decay;
  Real decoupled_decay;  // lr · weight decay for adamw
  Real clip;             // factor of the gradient
  Real average_rate;     // a ← a + average_rate · (w − a)
  bool is_nesterov;
  bool takes_average;    // w ← a at the end of the step
};

/// `rate`, `second_scale`: as in the result. `learning_rate`: without a correction. `t`: the number of the step, from 1.
template <class Real>
LAYERWISE_ALWAYS_INLINE OptimizerScalars<Real> optimizer_scalars(const layerwise_optimizer& settings, double rate,
                                                                 double second_scale, double learning_rate, double t,
                                                                 double clip) {
  const double ramp = (1 + t) / (10 + t);  // the average soon forgets the random weights of the start
  const double ema_rate = 1 - (ramp < settings.ema_decay ? ramp : settings.ema_decay);
  const int64_t step = static_cast<int64_t>(t);
  const bool looks_ahead = settings.lookahead_steps > 0 && step % settings.lookahead_steps == 0;
  const double average_rate =
      settings.lookahead_steps > 0 ? (looks_ahead ? settings.lookahead_alpha : 0) : ema_rate;
  return {static_cast<Real>(rate),
          static_cast<Real>(second_scale),
          static_cast<Real>(settings.momentum),
          static_cast<Real>(settings.weight_decay),
          static_cast<Real>(learning_rate * settings.weight_decay),
          static_cast<Real>(clip),
          static_cast<Real>(average_rate),
          settings.nesterov != 0,
          looks_ahead};
}

/// What gradients of such a norm are multiplied with.
LAYERWISE_ALWAYS_INLINE double clip_factor(double clip_grad_norm, double sum_of_squares) {
  const double factor = clip_grad_norm / (square_root(sum_of_squares) + 1e-6);
  return factor < 1 ? factor : 1;
}

/// One parameter and its state: w becomes the new parameter. Moments that the rule does not keep are 0.
template <class Real>
struct OptimizerElement {
  Real w, gradient;
  Real m, v, maximum;  // first moment (sgd: velocity), second moment, its maximum over time
  Real average;        // of w, where it is kept
};

template <layerwise_optim rule, class Real>
LAYERWISE_ALWAYS_INLINE void update_parameter(OptimizerElement<Real>& e, const OptimizerScalars<Real>& s) {
  constexpr Real beta1 = static_cast<Real>(adam_beta1), rest1 = static_cast<Real>(1 - adam_beta1);
  constexpr Real beta2 = static_cast<Real>(adam_beta2), rest2 = static_cast<Real>(1 - adam_beta2);
  Real g = s.clip * e.gradient;
  if constexpr (rule == LAYERWISE_OPTIM_ADAMW)
    e.w -= s.decoupled_decay * e.w;
  else
    g = g + s.weight_decay * e.w;
  if constexpr (rule == LAYERWISE_OPTIM_SGD) {
    e.m = s.momentum * e.m + g;
    e.w -= s.rate * (s.is_nesterov ? g + s.momentum * e.m : e.m);
  } else {
    e.m = beta1 * e.m + rest1 * g;
    e.v = beta2 * e.v + rest2 * (g * g);
    Real v = e.v;
    if constexpr (rule == LAYERWISE_OPTIM_AMSGRAD) v = e.maximum = e.maximum > v ? e.maximum : v;
    e.w -= s.rate * e.m / (square_root(v) * s.second_scale + static_cast<Real>(adam_epsilon));
  }
}

/// After update_parameter, where an average is kept.
template <class Real>
LAYERWISE_ALWAYS_INLINE void update_average(OptimizerElement<Real>& e, const OptimizerScalars<Real>& s) {
  e.average += s.average_rate * (e.w - e.average);
  if (s.takes_average) e.w = e.average;
}

/// Calls body(rule), the rule as a constant: body may take it as a template argument.
template <class Body>
static void with_rule(int32_t optim, const Body& body) {
  switch (optim) {
    case LAYERWISE_OPTIM_SGD: return body(std::integral_constant<layerwise_optim, LAYERWISE_OPTIM_SGD>());
    case LAYERWISE_OPTIM_ADAM: return body(std::integral_constant<layerwise_optim, LAYERWISE_OPTIM_ADAM>());
    case LAYERWISE_OPTIM_ADAMW: return body(std::integral_constant<layerwise_optim, LAYERWISE_OPTIM_ADAMW>());
    default: return body(std::integral_constant<layerwise_optim, LAYERWISE_OPTIM_AMSGRAD>());
  }
}

}  // namespace layerwise
