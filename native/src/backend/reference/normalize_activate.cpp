#include <cmath>

#include "backend/reference/elements.h"
#include "backend/reference/operations.h"
#include "backend/reference/pooling.h"

namespace layerwise {
namespace reference {

namespace {

void update_running_statistics(const NormalizeActivate& op) {
  const int64_t samples = op.statistics_samples > 0 ? op.statistics_samples : op.y.shape.n;
  const double count = static_cast<double>(samples * op.y.shape.positions());
  const double unbiased = count > 1 ? count / (count - 1) : 1;
  const Elements mean(op.mean), variance(op.variance);
  const Elements running_mean(op.running_mean), running_variance(op.running_variance);
  for (int64_t c = 0; c < op.y.shape.c; ++c) {
    running_mean[c] = (1 - op.momentum) * running_mean[c] + op.momentum * mean[c];
    running_variance[c] = (1 - op.momentum) * running_variance[c] + op.momentum * unbiased * variance[c];
  }
}

}  // namespace

void normalize_activate(const NormalizeActivate& op, const StepState& state) {
  const Elements y(op.y), mean(op.mean), variance(op.variance), scale(op.scale), shift(op.shift);
  const Elements shortcut(op.shortcut), hidden(op.h);
  for_each_element(op.y.shape, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
    double v = y(n, h, w, c);
    if (op.mean) v = scale[c] * (v - mean[c]) / std::sqrt(variance[c] + batch_norm_epsilon) + shift[c];
    if (op.shortcut) v += shortcut(n, h, w, c);
    hidden(n, h, w, c) = v > 0 ? v : op.negative_slope * v;
  });
  if (op.running_mean) update_running_statistics(op);
  if (op.pooled) average_pool(op.average_pooling, op.h, op.pooled);
  if (op.output) drop_and_pool(op.dropout, state, op.max_pool, op.h, op.output);
}

}  // namespace reference
}  // namespace layerwise
