// Means, variances and channel sums. Compiled once per vector extension; see loops.h.
#include "backend/cpu/loops.h"
#include "backend/cpu/loops_vector_type.h"

namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE {

namespace {

// A block of rows that is read twice: 32 KiB, so that the second reading comes from a near cache.
constexpr int64_t block_elements = 8192;
constexpr int64_t most_block_rows = 64;   // float sums of at most so many terms
constexpr int64_t least_block_rows = 8;   // else the merge costs as much as the sums

int64_t rows_of_block(int64_t channels) {
  const int64_t rows = block_elements / channels;
  return rows < least_block_rows ? least_block_rows : rows > most_block_rows ? most_block_rows : rows;
}

/// center = a float near the mean of each channel: the first row plus the mean difference from it, which
/// is exact for a constant channel.
template <class A>
void block_center(const A* x, int64_t rows, int64_t channels, float* center) {
  for_channels(0, channels, [=](auto lane, int64_t c) { store(center + c, decltype(lane){}); });
  for (int64_t r = 1; r < rows; ++r)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      store(center + c, load<V>(center + c) + (load<V>(x + r * channels + c) - load<V>(x + c)));
    });
  const float weight = 1.0f / static_cast<float>(rows);
  for_channels(0, channels, [=](auto lane, int64_t c) {
    using V = decltype(lane);
    store(center + c, load<V>(x + c) + load<V>(center + c) * weight);
  });
}

/// sum and squares of the differences from center.
template <class A>
void block_deviations(const A* x, int64_t rows, int64_t channels, const float* center, float* sum, float* squares) {
  for (int64_t c = 0; c < channels; ++c) sum[c] = squares[c] = 0;
  for (int64_t r = 0; r < rows; ++r)
    for_channels(0, channels, [=](auto lane, int64_t c) {
      using V = decltype(lane);
      const V d = load<V>(x + r * channels + c) - load<V>(center + c);
      store(sum + c, load<V>(sum + c) + d);
      store(squares + c, load<V>(squares + c) + d * d);
    });
}

void merge_moments(double* __restrict mean, double* __restrict squares, int64_t count,
                   const double* __restrict other_mean, const double* __restrict other_squares, int64_t other_count,
                   int64_t channels) {
  const double weight = static_cast<double>(other_count) / static_cast<double>(count + other_count);
  const double cross = weight * static_cast<double>(count);
  for (int64_t c = 0; c < channels; ++c) {
    const double delta = other_mean[c] - mean[c];
    mean[c] += weight * delta;
    squares[c] += other_squares[c] + cross * delta * delta;
  }
}

// The differences' own mean is not quite 0.
void merge_sums(double* __restrict mean, double* __restrict squares, int64_t count, const float* __restrict center,
                const float* __restrict sum, const float* __restrict sum_of_squares, int64_t rows, int64_t channels) {
  const double weight = static_cast<double>(rows) / static_cast<double>(count + rows);
  const double cross = weight * static_cast<double>(count);
  const double reciprocal = 1.0 / static_cast<double>(rows);
  for (int64_t c = 0; c < channels; ++c) {
    const double residue = sum[c] * reciprocal;
    const double block_squares = sum_of_squares[c] - residue * sum[c];
    const double delta = center[c] + residue - mean[c];
    mean[c] += weight * delta;
    squares[c] += (block_squares > 0 ? block_squares : 0) + cross * delta * delta;
  }
}

template <class A>
void moments(const A* x, int64_t rows, int64_t channels, float* scratch, double* mean, double* squares) {
  float* center = scratch;
  float* sum = scratch + channels;
  float* sum_of_squares = scratch + 2 * channels;
  for (int64_t c = 0; c < channels; ++c) mean[c] = squares[c] = 0;
  const int64_t most = rows_of_block(channels);
  for (int64_t done = 0; done < rows; done += most) {
    const int64_t block = rows - done < most ? rows - done : most;
    block_center(x + done * channels, block, channels, center);
    block_deviations(x + done * channels, block, channels, center, sum, sum_of_squares);
    merge_sums(mean, squares, done, center, sum, sum_of_squares, block, channels);
  }
}

void fold(double* __restrict total, float* __restrict part, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    total[i] += part[i];
    part[i] = 0;
  }
}

template <class A>
void add_rows(double* __restrict total, const A* __restrict x, int64_t rows, int64_t channels) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < channels; ++c) total[c] += load<float>(x + r * channels + c);
}

template <class A>
void set_statistics_loops_of(StorageLoops<A>& loops) {
  loops.moments = moments<A>;
  loops.add_rows = add_rows<A>;
}

}  // namespace

void set_statistics_loops(Loops& loops) {
  loops.merge_moments = merge_moments;
  loops.merge_sums = merge_sums;
  loops.fold = fold;
  set_statistics_loops_of(loops.float32);
  set_statistics_loops_of(loops.bfloat16);
}

}  // namespace layerwise::cpu::LAYERWISE_LOOPS_NAMESPACE
