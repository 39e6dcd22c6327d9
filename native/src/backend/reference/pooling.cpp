#include "backend/reference/pooling.h"

#include "backend/reference/elements.h"

namespace layerwise {
namespace reference {

namespace {

/// Calls visit(pooled row, pooled column, h row, h column) for every position of the map and the window
/// it belongs to. Padding is zeros, so positions outside the map add nothing and are left out.
template <class Visit>
void for_each_window_position(const AveragePooling& pooling, const Shape& pooled, const Shape& map, Visit visit) {
  for (int64_t ph = 0; ph < pooled.h; ++ph) {
    for (int64_t pw = 0; pw < pooled.w; ++pw) {
      for (int64_t kh = 0; kh < pooling.kernel_height; ++kh) {
        const int64_t h = ph * pooling.kernel_height + kh - pooling.padding_height;
        if (h < 0 || h >= map.h) continue;
        for (int64_t kw = 0; kw < pooling.kernel_width; ++kw) {
          const int64_t w = pw * pooling.kernel_width + kw - pooling.padding_width;
          if (w < 0 || w >= map.w) continue;
          visit(ph, pw, h, w);
        }
      }
    }
  }
}

/// What dropout multiplies the elements of channel c of sample n by.
double dropout_factor(const Dropout& dropout, const StepState& state, int64_t channels, int64_t n, int64_t c) {
  if (dropout.probability == 0) return 1;
  const RandomKey key{state.seed, RandomPurpose::dropout, dropout.stream, state.step};
  const uint32_t word = random_word(key, static_cast<uint64_t>((state.first_sample + n) * channels + c));
  return word < dropout_threshold(dropout.probability) ? 0 : 1 / (1 - dropout.probability);
}

struct Position {
  int64_t h, w;
};

/// Where the first maximum, in row order, of a 2×2 window of h lies. Dropout scales a whole channel by a
/// number ≥ 0, so it does not move the maximum.
Position first_maximum(const Elements& h, int64_t n, int64_t out_h, int64_t out_w, int64_t c) {
  Position best{2 * out_h, 2 * out_w};
  for (int64_t row = 2 * out_h; row < 2 * out_h + 2; ++row)
    for (int64_t column = 2 * out_w; column < 2 * out_w + 2; ++column)
      if (h(n, row, column, c) > h(n, best.h, best.w, c)) best = {row, column};
  return best;
}

}  // namespace

void average_pool(const AveragePooling& pooling, const Tensor& h_tensor, const Tensor& pooled_tensor) {
  const Shape shape = pooled_tensor.shape;
  const double window = static_cast<double>(pooling.kernel_height * pooling.kernel_width);
  const Elements h(h_tensor), pooled(pooled_tensor);
  pooled.fill(0);
  for (int64_t n = 0; n < shape.n; ++n) {
    for_each_window_position(pooling, shape, h_tensor.shape, [&](int64_t ph, int64_t pw, int64_t row, int64_t column) {
      for (int64_t c = 0; c < shape.c; ++c) pooled(n, ph, pw, c) += h(n, row, column, c) / window;
    });
  }
}

void add_average_unpool(const AveragePooling& pooling, const Tensor& d_pooled_tensor, const Tensor& d_h_tensor) {
  const Shape shape = d_pooled_tensor.shape;
  const double window = static_cast<double>(pooling.kernel_height * pooling.kernel_width);
  const Elements d_pooled(d_pooled_tensor), d_h(d_h_tensor);
  for (int64_t n = 0; n < shape.n; ++n) {
    for_each_window_position(pooling, shape, d_h_tensor.shape,
                             [&](int64_t ph, int64_t pw, int64_t row, int64_t column) {
      for (int64_t c = 0; c < shape.c; ++c) d_h(n, row, column, c) += d_pooled(n, ph, pw, c) / window;
    });
  }
}

void drop_and_pool(const Dropout& dropout, const StepState& state, bool max_pool, const Tensor& h_tensor,
                   const Tensor& output_tensor) {
  const Elements h(h_tensor), output(output_tensor);
  for_each_element(output_tensor.shape, [&](int64_t n, int64_t row, int64_t column, int64_t c) {
    const Position from = max_pool ? first_maximum(h, n, row, column, c) : Position{row, column};
    output(n, row, column, c) = dropout_factor(dropout, state, h_tensor.shape.c, n, c) * h(n, from.h, from.w, c);
  });
}

void add_drop_and_unpool(const Dropout& dropout, const StepState& state, bool max_pool, const Tensor& h_tensor,
                         const Tensor& d_output_tensor, const Tensor& d_h_tensor) {
  const Elements h(h_tensor), d_output(d_output_tensor), d_h(d_h_tensor);
  for_each_element(d_output_tensor.shape, [&](int64_t n, int64_t row, int64_t column, int64_t c) {
    const Position to = max_pool ? first_maximum(h, n, row, column, c) : Position{row, column};
    d_h(n, to.h, to.w, c) += dropout_factor(dropout, state, h_tensor.shape.c, n, c) * d_output(n, row, column, c);
  });
}

}  // namespace reference
}  // namespace layerwise
