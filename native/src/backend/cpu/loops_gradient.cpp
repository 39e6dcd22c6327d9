// Gradients of pooling, activation and batch norm. Compiled once per vector extension; see loops.h.
#include "backend/cpu/loops.h"
#include "backend/cpu/loops_vector_type.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

template <class A>
void add(const A* addend, int64_t count, A* sum) {
  for_channels(0, count, [=](auto lane, int64_t i) {
    using V = decltype(lane);
    store(sum + i, load<V>(sum + i) + load<V>(addend + i));
  });
}

template <class A>
void deviation_gradient(const A* z, const float* mean, const float* coefficient, int64_t positions, int64_t channels,
                        A* d_z) {
  for (int64_t p = 0; p < positions; ++p)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      const int64_t i = p * channels + c;
      store(d_z + i, load<V>(coefficient + c) * (load<V>(z + i) - load<V>(mean + c)));
    });
}

template <bool adds, class A>
void batch_norm_gradient_as(const A* g, const A* y, const float* multiplier, const float* mean_g, const float* mean,
                            const float* slope, const A* addend, int64_t positions, int64_t channels, A* d_y) {
  for (int64_t p = 0; p < positions; ++p)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      const int64_t i = p * channels + c;
      const V along = (load<V>(y + i) - load<V>(mean + c)) * load<V>(slope + c);
      V value = load<V>(multiplier + c) * (load<V>(g + i) - load<V>(mean_g + c) - along);
      if (adds) value += load<V>(addend + i);
      store(d_y + i, value);
    });
}

template <class A>
void batch_norm_gradient(const A* g, const A* y, const float* multiplier, const float* mean_g, const float* mean,
                         const float* slope, const A* addend, int64_t positions, int64_t channels, A* d_y) {
  const auto loop = addend != nullptr ? batch_norm_gradient_as<true, A> : batch_norm_gradient_as<false, A>;
  loop(g, y, multiplier, mean_g, mean, slope, addend, positions, channels, d_y);
}

template <class A>
void reconstruction_gradient(A* decoded, const float* bias, const A* x, float negative_slope, float scale,
                             int64_t positions, int64_t channels, float* sum_gradient, float* sum_squares) {
  for (int64_t p = 0; p < positions; ++p)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      const int64_t i = p * channels + c;
      const V value = load<V>(decoded + i) + load<V>(bias + c);
      const V slope = value > 0 ? V{} + 1 : V{} + negative_slope;
      const V error = slope * value - load<V>(x + i);
      const V gradient = scale * error * slope;
      store(decoded + i, gradient);
      store(sum_gradient + c, load<V>(sum_gradient + c) + gradient);
      store(sum_squares + c, load<V>(sum_squares + c) + error * error);
    });
}

template <class A>
void average_unpool_row(float* g, int64_t width, int64_t channels, int64_t kernel, int64_t padding, int64_t windows,
                        float weight, const A* d_pooled) {
  for (int64_t x = 0; x < width; ++x) {
    const int64_t window = (x + padding) / kernel;
    if (window >= windows) break;
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      float* const to = g + x * channels + c;
      store(to, load<V>(to) + weight * load<V>(d_pooled + window * channels + c));
    });
  }
}

template <class V>
inline __attribute__((always_inline)) void add_to(float* sum, V value) {
  store(sum, load<V>(sum) + value);
}

template <bool scaled, class A>
void max_unpool_rows_as(float* g_upper, float* g_lower, const A* upper, const A* lower, const float* factor,
                        int64_t windows, int64_t channels, const A* d_output) {
  for (int64_t j = 0; j < windows; ++j)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      const int64_t left = 2 * j * channels + c, right = left + channels;
      const V zero{};
      V d = load<V>(d_output + j * channels + c);
      if (scaled) d *= load<V>(factor + c);
      const V first = load<V>(upper + left), second = load<V>(upper + right);
      const V third = load<V>(lower + left), fourth = load<V>(lower + right);
      const V of_two = second > first ? second : first;
      const V of_three = third > of_two ? third : of_two;
      // Selections instead of branches: each position, the last one first, takes d or leaves it.
      add_to<V>(g_lower + right, fourth > of_three ? d : zero);
      d = fourth > of_three ? zero : d;
      add_to<V>(g_lower + left, third > of_two ? d : zero);
      d = third > of_two ? zero : d;
      add_to<V>(g_upper + right, second > first ? d : zero);
      add_to<V>(g_upper + left, second > first ? zero : d);
    });
}

template <class A>
void max_unpool_rows(float* g_upper, float* g_lower, const A* upper, const A* lower, const float* factor,
                     int64_t windows, int64_t channels, const A* d_output) {
  const auto loop = factor != nullptr ? max_unpool_rows_as<true, A> : max_unpool_rows_as<false, A>;
  loop(g_upper, g_lower, upper, lower, factor, windows, channels, d_output);
}

template <class A>
void add_scaled(float* g, const A* d_output, const float* factor, int64_t positions, int64_t channels) {
  if (factor == nullptr) {
    for_channels(0, positions * channels, [=](auto lane, int64_t i) {
      using V = decltype(lane);
      add_to<V>(g + i, load<V>(d_output + i));
    });
    return;
  }
  for (int64_t p = 0; p < positions; ++p)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      add_to<V>(g + p * channels + c, load<V>(d_output + p * channels + c) * load<V>(factor + c));
    });
}

template <bool with_sums, class A>
void activation_gradient_as(const float* dh, const A* h, float negative_slope, const A* y, const float* mean,
                            int64_t positions, int64_t channels, float* sum_g, float* sum_gy, A* g) {
  for (int64_t p = 0; p < positions; ++p)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      const int64_t i = p * channels + c;
      const V from = load<V>(dh + i);
      const V value = load<V>(h + i) > 0 ? from : negative_slope * from;
      store(g + i, value);
      if (!with_sums) return;
      add_to<V>(sum_g + c, value);
      add_to<V>(sum_gy + c, value * (load<V>(y + i) - load<V>(mean + c)));
    });
}

template <class A>
void activation_gradient(const float* dh, const A* h, float negative_slope, const A* y, const float* mean,
                         int64_t positions, int64_t channels, float* sum_g, float* sum_gy, A* g) {
  const auto loop = y != nullptr ? activation_gradient_as<true, A> : activation_gradient_as<false, A>;
  loop(dh, h, negative_slope, y, mean, positions, channels, sum_g, sum_gy, g);
}

template <class A>
void set_gradient_loops_of(StorageLoops<A>& loops) {
  loops.add = add<A>;
  loops.deviation_gradient = deviation_gradient<A>;
  loops.batch_norm_gradient = batch_norm_gradient<A>;
  loops.reconstruction_gradient = reconstruction_gradient<A>;
  loops.average_unpool_row = average_unpool_row<A>;
  loops.max_unpool_rows = max_unpool_rows<A>;
  loops.add_scaled = add_scaled<A>;
  loops.activation_gradient = activation_gradient<A>;
}

}  // namespace

void set_gradient_loops(Loops& loops) {
  set_gradient_loops_of(loops.float32);
  set_gradient_loops_of(loops.bfloat16);
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
