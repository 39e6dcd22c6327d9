// Gradients of pooling, activation and batch norm. Compiled once per vector extension; see loops.h.
#include "backend/cpu/loops.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

void deviation_gradient(const float* z, const float* __restrict mean, const float* __restrict coefficient,
                        int64_t positions, int64_t channels, float* d_z) {
  for (int64_t p = 0; p < positions; ++p) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) d_z[p * channels + c] = coefficient[c] * (z[p * channels + c] - mean[c]);
  }
}

void batch_norm_gradient(const float* g, const float* __restrict y, const float* __restrict multiplier,
                         const float* __restrict mean_g, const float* __restrict mean, const float* __restrict slope,
                         int64_t positions, int64_t channels, float* d_y) {
  for (int64_t p = 0; p < positions; ++p) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = p * channels + c;
      d_y[i] = multiplier[c] * (g[i] - mean_g[c] - (y[i] - mean[c]) * slope[c]);
    }
  }
}

void reconstruction_gradient(float* __restrict decoded, const float* __restrict bias, const float* __restrict x,
                             float negative_slope, float scale, int64_t positions, int64_t channels,
                             float* __restrict sum_gradient, float* __restrict sum_squares) {
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = p * channels + c;
      const float value = decoded[i] + bias[c];
      const float slope = value > 0 ? 1 : negative_slope;
      const float error = slope * value - x[i];
      const float gradient = scale * error * slope;
      decoded[i] = gradient;
      sum_gradient[c] += gradient;
      sum_squares[c] += error * error;
    }
}

void average_unpool_row(float* __restrict g, int64_t width, int64_t channels, int64_t kernel, int64_t padding,
                        int64_t windows, float weight, const float* __restrict d_pooled) {
  for (int64_t x = 0; x < width; ++x) {
    const int64_t window = (x + padding) / kernel;
    if (window >= windows) break;
    for (int64_t c = 0; c < channels; ++c) g[x * channels + c] += weight * d_pooled[window * channels + c];
  }
}

template <bool scaled>
void max_unpool_rows_as(float* __restrict g_upper, float* __restrict g_lower, const float* __restrict upper,
                        const float* __restrict lower, const float* __restrict factor, int64_t windows,
                        int64_t channels, const float* __restrict d_output) {
  for (int64_t j = 0; j < windows; ++j) {
    const int64_t left = 2 * j * channels, right = left + channels;
    for (int64_t c = 0; c < channels; ++c) {
      const float d = scaled ? d_output[j * channels + c] * factor[c] : d_output[j * channels + c];
      const float first = upper[left + c], second = upper[right + c];
      const float third = lower[left + c], fourth = lower[right + c];
      const float of_two = second > first ? second : first;
      const float of_three = third > of_two ? third : of_two;
      // Selections instead of branches: each position, the last one first, takes d or leaves it.
      const float to_fourth = fourth > of_three ? d : 0, left_by_fourth = fourth > of_three ? 0 : d;
      const float to_third = third > of_two ? left_by_fourth : 0, left_by_third = third > of_two ? 0 : left_by_fourth;
      const float to_second = second > first ? left_by_third : 0, to_first = second > first ? 0 : left_by_third;
      g_upper[left + c] += to_first;
      g_upper[right + c] += to_second;
      g_lower[left + c] += to_third;
      g_lower[right + c] += to_fourth;
    }
  }
}

void max_unpool_rows(float* g_upper, float* g_lower, const float* upper, const float* lower, const float* factor,
                     int64_t windows, int64_t channels, const float* d_output) {
  const auto loop = factor != nullptr ? max_unpool_rows_as<true> : max_unpool_rows_as<false>;
  loop(g_upper, g_lower, upper, lower, factor, windows, channels, d_output);
}

void add_scaled(float* __restrict g, const float* __restrict d_output, const float* __restrict factor,
                int64_t positions, int64_t channels) {
  if (factor == nullptr) {
    for (int64_t i = 0; i < positions * channels; ++i) g[i] += d_output[i];
    return;
  }
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t c = 0; c < channels; ++c) g[p * channels + c] += d_output[p * channels + c] * factor[c];
}

template <bool with_sums>
void activation_gradient_as(float* __restrict g, const float* __restrict h, float negative_slope,
                            const float* __restrict y, const float* __restrict mean, int64_t positions,
                            int64_t channels, float* __restrict sum_g, float* __restrict sum_gy) {
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = p * channels + c;
      const float value = h[i] > 0 ? g[i] : negative_slope * g[i];
      g[i] = value;
      if (with_sums) {
        sum_g[c] += value;
        sum_gy[c] += value * (y[i] - mean[c]);
      }
    }
}

void activation_gradient(float* g, const float* h, float negative_slope, const float* y, const float* mean,
                         int64_t positions, int64_t channels, float* sum_g, float* sum_gy) {
  const auto loop = y != nullptr ? activation_gradient_as<true> : activation_gradient_as<false>;
  loop(g, h, negative_slope, y, mean, positions, channels, sum_g, sum_gy);
}

}  // namespace

void set_gradient_loops(Loops& loops) {
  loops.deviation_gradient = deviation_gradient;
  loops.batch_norm_gradient = batch_norm_gradient;
  loops.reconstruction_gradient = reconstruction_gradient;
  loops.average_unpool_row = average_unpool_row;
  loops.max_unpool_rows = max_unpool_rows;
  loops.add_scaled = add_scaled;
  loops.activation_gradient = activation_gradient;
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
