// Centring and normalisation of a sample's vector, and the optimisers. Compiled once per vector
// extension; see loops.h.
#include "backend/cpu/loops.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

// Sums over a vector are kept in this many doubles side by side, element i in sum i mod 16, and folded
// in order: the order does not depend on the width of a vector register.
constexpr int64_t lanes = 16;

double fold_lanes(const double* sum) {
  double total = 0;
  for (int64_t l = 0; l < lanes; ++l) total += sum[l];
  return total;
}

/// Σ term(i) over [0, count).
template <class Term>
double sum_of(int64_t count, const Term& term) {
  double sum[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int64_t l = 0; l < lanes; ++l) sum[l] += term(i + l);
  for (int64_t l = 0; i + l < count; ++l) sum[l] += term(i + l);
  return fold_lanes(sum);
}

double center_normalize(const float* __restrict x, int64_t count, double epsilon, float* __restrict normalized) {
  // In double a constant vector has exactly its value as mean, and so a norm of exactly 0.
  const double mean = sum_of(count, [x](int64_t i) { return static_cast<double>(x[i]); }) / static_cast<double>(count);
  const double squares = sum_of(count, [x, mean](int64_t i) {
    const double centered = x[i] - mean;
    return centered * centered;
  });
  const double norm = __builtin_sqrt(squares);
  const double reciprocal = 1.0 / (epsilon + norm);
  for (int64_t i = 0; i < count; ++i) normalized[i] = static_cast<float>((x[i] - mean) * reciprocal);
  return norm;
}

// With c the centred vector, r its norm and X = c / (ε + r):
//   dc = dX / (ε + r) − X · (X·dX) / r,   dx = dc − mean(dc).
// The mean of X is 0, so that mean(dc) = mean(dX) / (ε + r).
void center_normalize_gradient(float* __restrict gradient, const float* __restrict normalized, int64_t count,
                               double epsilon, double norm) {
  if (!(norm > 0)) {
    for (int64_t i = 0; i < count; ++i) gradient[i] = 0;
    return;
  }
  const double along = sum_of(count, [=](int64_t i) { return static_cast<double>(gradient[i]) * normalized[i]; });
  const double total = sum_of(count, [=](int64_t i) { return static_cast<double>(gradient[i]); });
  const double reciprocal = 1.0 / (epsilon + norm);
  const auto mean = static_cast<float>(total / static_cast<double>(count));
  const auto scale = static_cast<float>(reciprocal);
  const auto projection = static_cast<float>(along / norm);
  for (int64_t i = 0; i < count; ++i) gradient[i] = (gradient[i] - mean) * scale - normalized[i] * projection;
}

void sgd(float* __restrict weight, const float* __restrict gradient, float* __restrict velocity, int64_t count,
         float rate, float momentum, float weight_decay) {
  if (velocity == nullptr) {
    for (int64_t i = 0; i < count; ++i) weight[i] -= rate * (gradient[i] + weight_decay * weight[i]);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const float v = momentum * velocity[i] + (gradient[i] + weight_decay * weight[i]);
    velocity[i] = v;
    weight[i] -= rate * v;
  }
}

template <bool keeps_maximum>
void adam_as(float* __restrict weight, const float* __restrict gradient, float* __restrict first,
             float* __restrict second, float* __restrict maximum, int64_t count, const AdamScalars& scalars) {
  const AdamScalars s = scalars;
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] + s.weight_decay * weight[i];
    const float m = s.beta1 * first[i] + s.rest1 * g;
    float v = s.beta2 * second[i] + s.rest2 * (g * g);
    first[i] = m;
    second[i] = v;
    if (keeps_maximum) {
      v = maximum[i] > v ? maximum[i] : v;
      maximum[i] = v;
    }
    weight[i] -= s.rate * m / (__builtin_sqrtf(v) * s.second_scale + s.epsilon);
  }
}

void adam(float* weight, const float* gradient, float* first, float* second, float* maximum, int64_t count,
          const AdamScalars& scalars) {
  const auto loop = maximum != nullptr ? adam_as<true> : adam_as<false>;
  loop(weight, gradient, first, second, maximum, count, scalars);
}

}  // namespace

void set_vector_loops(Loops& loops) {
  loops.center_normalize = center_normalize;
  loops.center_normalize_gradient = center_normalize_gradient;
  loops.sgd = sgd;
  loops.adam = adam;
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
