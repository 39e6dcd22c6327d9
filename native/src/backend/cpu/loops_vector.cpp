// Centring and normalisation of a sample's vector, and the optimisers. Compiled once per vector
// extension; see loops.h.
#include "backend/cpu/loops.h"
#include "backend/cpu/loops_vector_type.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

// Sums over a vector are kept in this many doubles side by side, element i in sum i mod 16, and folded
// in order: the order does not depend on the width of a vector register.
constexpr int64_t sums_of_vector = 16;

double fold_sums(const double* sum) {
  double total = 0;
  for (int64_t l = 0; l < sums_of_vector; ++l) total += sum[l];
  return total;
}

/// Σ term(i) over [0, count).
template <class Term>
double sum_of(int64_t count, const Term& term) {
  double sum[sums_of_vector] = {};
  int64_t i = 0;
  for (; i + sums_of_vector <= count; i += sums_of_vector)
    for (int64_t l = 0; l < sums_of_vector; ++l) sum[l] += term(i + l);
  for (int64_t l = 0; i + l < count; ++l) sum[l] += term(i + l);
  return fold_sums(sum);
}

template <class A>
void widen(const A* from, int64_t count, float* to) {
  for_channels(0, count, [=](auto lane, int64_t i) { store(to + i, load<decltype(lane)>(from + i)); });
}

template <class A>
void narrow(const float* from, int64_t count, A* to) {
  for_channels(0, count, [=](auto lane, int64_t i) { store(to + i, load<decltype(lane)>(from + i)); });
}

template <class A>
double center_normalize(const A* __restrict x, int64_t count, double epsilon, float* __restrict normalized) {
  // In double a constant vector has exactly its value as mean, and so a norm of exactly 0.
  const auto element = [x](int64_t i) { return static_cast<double>(load<float>(x + i)); };
  const double mean = sum_of(count, element) / static_cast<double>(count);
  const double squares = sum_of(count, [element, mean](int64_t i) {
    const double centered = element(i) - mean;
    return centered * centered;
  });
  const double norm = __builtin_sqrt(squares);
  const double reciprocal = 1.0 / (epsilon + norm);
  for (int64_t i = 0; i < count; ++i) normalized[i] = static_cast<float>((element(i) - mean) * reciprocal);
  return norm;
}

// With c the centred vector, r its norm and X = c / (ε + r):
//   dc = dX / (ε + r) − X · (X·dX) / r,   dx = dc − mean(dc).
// The mean of X is 0, so that mean(dc) = mean(dX) / (ε + r).
template <class A>
void center_normalize_gradient(const float* gradient, const float* normalized, int64_t count, double epsilon,
                               double norm, A* d_x) {
  if (!(norm > 0)) {
    for_channels(0, count, [=](auto lane, int64_t i) { store(d_x + i, decltype(lane){}); });
    return;
  }
  const double along = sum_of(count, [=](int64_t i) { return static_cast<double>(gradient[i]) * normalized[i]; });
  const double total = sum_of(count, [=](int64_t i) { return static_cast<double>(gradient[i]); });
  const double reciprocal = 1.0 / (epsilon + norm);
  const auto mean = static_cast<float>(total / static_cast<double>(count));
  const auto scale = static_cast<float>(reciprocal);
  const auto projection = static_cast<float>(along / norm);
  for_channels(0, count, [=](auto lane, int64_t i) {
    using V = decltype(lane);
    store(d_x + i, (load<V>(gradient + i) - mean) * scale - load<V>(normalized + i) * projection);
  });
}

double sum_of_squares(const float* values, int64_t count) {
  return sum_of(count, [values](int64_t i) { return static_cast<double>(values[i]) * values[i]; });
}

// `moments` of the three are there; with 0 that is sgd without momentum.
template <layerwise_optim rule, int moments, bool averages>
void optimizer_step_as(const OptimizerVectors& vectors, int64_t count, const OptimizerScalars<float>& scalars) {
  float* __restrict w = vectors.parameters;
  const float* __restrict gradients = vectors.gradients;
  float* __restrict m = vectors.first_moment;
  float* __restrict v = vectors.second_moment;
  float* __restrict maximum = vectors.maximum_second_moment;
  float* __restrict average = vectors.average;
  const OptimizerScalars<float> s = scalars;
  for (int64_t i = 0; i < count; ++i) {
    OptimizerElement<float> e{w[i], gradients[i], moments > 0 ? m[i] : 0, moments > 1 ? v[i] : 0,
                              moments > 2 ? maximum[i] : 0, averages ? average[i] : 0};
    update_parameter<rule>(e, s);
    if (averages) {
      update_average(e, s);
      average[i] = e.average;
    }
    w[i] = e.w;
    if (moments > 0) m[i] = e.m;
    if (moments > 1) v[i] = e.v;
    if (moments > 2) maximum[i] = e.maximum;
  }
}

template <layerwise_optim rule, int moments>
void optimizer_step_as(const OptimizerVectors& vectors, int64_t count, const OptimizerScalars<float>& scalars) {
  const auto step = vectors.average == nullptr ? optimizer_step_as<rule, moments, false>
                                               : optimizer_step_as<rule, moments, true>;
  step(vectors, count, scalars);
}

void optimizer_step(int32_t optim, const OptimizerVectors& vectors, int64_t count,
                    const OptimizerScalars<float>& scalars) {
  if (optim == LAYERWISE_OPTIM_AMSGRAD) return optimizer_step_as<LAYERWISE_OPTIM_AMSGRAD, 3>(vectors, count, scalars);
  if (optim == LAYERWISE_OPTIM_ADAM) return optimizer_step_as<LAYERWISE_OPTIM_ADAM, 2>(vectors, count, scalars);
  if (optim == LAYERWISE_OPTIM_ADAMW) return optimizer_step_as<LAYERWISE_OPTIM_ADAMW, 2>(vectors, count, scalars);
  if (vectors.first_moment == nullptr) return optimizer_step_as<LAYERWISE_OPTIM_SGD, 0>(vectors, count, scalars);
  optimizer_step_as<LAYERWISE_OPTIM_SGD, 1>(vectors, count, scalars);
}

template <class A>
void set_vector_loops_of(StorageLoops<A>& loops) {
  loops.widen = widen<A>;
  loops.narrow = narrow<A>;
  loops.center_normalize = center_normalize<A>;
  loops.center_normalize_gradient = center_normalize_gradient<A>;
}

}  // namespace

void set_vector_loops(Loops& loops) {
  loops.optimizer_step = optimizer_step;
  loops.sum_of_squares = sum_of_squares;
  set_vector_loops_of(loops.float32);
  set_vector_loops_of(loops.bfloat16);
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
