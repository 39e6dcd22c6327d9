// The linear classifier's loss and gradients in three launches: logits, loss, gradients. N samples, F
// features, K outputs; size is that of an element of x and W.
//
// Floors on an H100: bytes / 3.0 TB/s and, for Bfloat16, FLOPs / 790 TFLOP/s. For N 128, F 2048, K 10 all are
// far below the time of a launch: what counts is that every multiprocessor has something to do.
#include <algorithm>
#include <type_traits>

#include "backend/backend.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/tile_product.cuh"

namespace layerwise::cuda {

constexpr int classifier_tile = 64;

/// Shares of the logits: partial[s, n, k] = Σ x[n, f] · W[k, f] over the s-th range of features.
///
/// Blocks: (N / 64, K / 64, ranges), each a tile of 64 samples × 64 outputs over its range.
/// Bytes: (N + K) · F · size (x is read K / 64 times, W N / 64 times, from L2 where not the first time),
/// ranges · N · K · 4 written. FLOPs: 2 · N · K · F.
/// Floor: ((N + K) · F · size + ranges · N · K · 4) / 3.0 TB/s; 2 · N · K · F / 790 TFLOP/s.
template <class T>
__global__ void __launch_bounds__(tile_threads)
    classifier_logits_kernel(Operand<T, true> x, Operand<T, true> weight, int64_t range, float* partial) {
  begin_kernel();
  LAYERWISE_SHARED(T, x_tile, [classifier_tile][tile_stride<T>]);
  LAYERWISE_SHARED(T, weight_tile, [classifier_tile][tile_stride<T>]);
  const int64_t samples = x.rows, outputs = weight.rows;
  const int64_t first_sample = static_cast<int64_t>(blockIdx.x) * classifier_tile;
  const int64_t first_output = static_cast<int64_t>(blockIdx.y) * classifier_tile;
  const int64_t begin = static_cast<int64_t>(blockIdx.z) * range;
  const int64_t end = begin + range < x.depth ? begin + range : x.depth;
  Accumulator<T, classifier_tile, classifier_tile> sums;
  add_tile_product(sums, x, first_sample, weight, first_output, begin, end, x_tile, weight_tile);
  float* const share = partial + static_cast<int64_t>(blockIdx.z) * samples * outputs;
  sums.each([&](int row, int column, float sum) {
    const int64_t n = first_sample + row, k = first_output + column;
    if (n < samples && k < outputs) share[n * outputs + k] = sum;
  });
}

struct ClassifierSamples {
  const float* partial;     // (ranges, N, K)
  int ranges;
  const float* bias;        // (K)
  int64_t outputs;          // K
  float* logits;            // (N, K), out
  const int32_t* labels;    // (N), or null: without targets logits only
  const float* targets;     // (N, K), in place of labels; or null
  const float* projection;  // (K, labels), or null
  int64_t label_count;
  float at_label, elsewhere;  // what a target has at its label, and at other classes; 1 and 0 without smoothing
  float scale;              // of d_logits: the gradient's / N
  float* d_logits;          // (N, K), out, may be logits; or null
  double* losses;           // (N), scratch
  double* errors;           // (N), scratch
  Metrics* metrics;         // or null
  unsigned* ticket;
};

constexpr int classifier_sample_threads = 128;
constexpr int ranges_at_once = 8;  // loads under way in a thread

/// The block's largest logit, the first of equals.
struct LargestLogit {
  float value;
  int64_t index;
};
__device__ __forceinline__ LargestLogit larger(const LargestLogit& a, const LargestLogit& b) {
  return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a;
}
__device__ __forceinline__ LargestLogit block_largest(LargestLogit mine, LargestLogit* scratch) {
  for (int offset = 16; offset > 0; offset /= 2)
    mine = larger(mine, {__shfl_xor_sync(all_lanes, mine.value, offset),
                         __shfl_xor_sync(all_lanes, mine.index, offset)});
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = mine;
  __syncthreads();
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) mine = larger(mine, scratch[warp]);
  return mine;
}

/// Cross-entropy of one sample, log Σ exp(logit) − Σ target · logit, by the block; d logits is
/// scale · (softmax − target).
__device__ __forceinline__ void cross_entropy(const ClassifierSamples& a, int64_t n, const float* logits,
                                              float* d_logits, LargestLogit mine) {
  LAYERWISE_SHARED(LargestLogit, largest_of_warps, [classifier_sample_threads / 32]);
  LAYERWISE_SHARED(float, sums_of_warps, [classifier_sample_threads / 32]);
  const int32_t label = a.labels[n];
  const LargestLogit largest = block_largest(mine, largest_of_warps);
  const float at_label = logits[label];  // of another thread, which wrote it before the barrier
  float sum = 0;
  for (int64_t k = threadIdx.x; k < a.outputs; k += blockDim.x) sum += expf(logits[k] - largest.value);
  sum = block_sum(sum, sums_of_warps);
  float below = 0;  // Σ of logit − largest
  if (a.elsewhere > 0) {
    for (int64_t k = threadIdx.x; k < a.outputs; k += blockDim.x) below += logits[k] - largest.value;
    below = block_sum(below, sums_of_warps);
  }
  // All threads are past the logits' sums: d_logits may now take their place.
  if (d_logits != nullptr) {
    for (int64_t k = threadIdx.x; k < a.outputs; k += blockDim.x)
      d_logits[k] = a.scale * (expf(logits[k] - largest.value) / sum - (k == label ? a.at_label : a.elsewhere));
  }
  if (threadIdx.x == 0) {
    a.losses[n] = log(static_cast<double>(sum)) + largest.value - at_label;
    if (a.elsewhere > 0)
      a.losses[n] = log(static_cast<double>(sum)) - (a.at_label - a.elsewhere) * (at_label - largest.value) -
                    static_cast<double>(a.elsewhere) * below;
    a.errors[n] = largest.index == label ? 0 : 1;
  }
}

/// The same with a target in place of a label.
__device__ __forceinline__ void target_cross_entropy(const ClassifierSamples& a, int64_t n, const float* logits,
                                                     float* d_logits, LargestLogit mine) {
  LAYERWISE_SHARED(LargestLogit, largest_of_warps, [classifier_sample_threads / 32]);
  LAYERWISE_SHARED(float, sums_of_warps, [classifier_sample_threads / 32]);
  const float* const targets = a.targets + n * a.outputs;
  const LargestLogit largest = block_largest(mine, largest_of_warps);
  LargestLogit wanted{-INFINITY, a.outputs};
  float sum = 0, below = 0;  // Σ of exp(logit − largest), and of target · (logit − largest)
  const float at_class = a.at_label - a.elsewhere;
  for (int64_t k = threadIdx.x; k < a.outputs; k += blockDim.x) {
    const float difference = logits[k] - largest.value;
    sum += expf(difference);
    below += (at_class * targets[k] + a.elsewhere) * difference;
    wanted = larger(wanted, {targets[k], k});
  }
  sum = block_sum(sum, sums_of_warps);
  below = block_sum(below, sums_of_warps);
  wanted = block_largest(wanted, largest_of_warps);
  if (d_logits != nullptr) {
    for (int64_t k = threadIdx.x; k < a.outputs; k += blockDim.x)
      d_logits[k] = a.scale * (expf(logits[k] - largest.value) / sum - (at_class * targets[k] + a.elsewhere));
  }
  if (threadIdx.x == 0) {
    a.losses[n] = log(static_cast<double>(sum)) - below;
    a.errors[n] = largest.index == wanted.index ? 0 : 1;
  }
}

/// Mean over the logits z of the binary cross-entropy of sigmoid(z) and the code's bit t,
/// max(z, 0) − z·t + log(1 + exp(−|z|)); d logits is scale · (sigmoid(z) − t) / K.
__device__ __forceinline__ void binary_cross_entropy(const ClassifierSamples& a, int64_t n, const float* logits,
                                                     float* d_logits) {
  LAYERWISE_SHARED(double, sums_of_warps, [classifier_sample_threads / 32]);
  const int32_t label = a.labels[n];
  const float outputs = static_cast<float>(a.outputs);
  double loss = 0;
  for (int64_t k = threadIdx.x; k < a.outputs; k += blockDim.x) {
    const float z = logits[k], t = a.projection[k * a.label_count + label] > 0 ? 1.0f : 0.0f;
    const float exponential = expf(-fabsf(z));  // at most 1: nothing overflows
    loss += fmaxf(z, 0.0f) - z * t + log1pf(exponential);
    if (d_logits != nullptr) {
      const float sigmoid = (z > 0 ? 1.0f : exponential) / (1 + exponential);
      d_logits[k] = a.scale * (sigmoid - t) / outputs;
    }
  }
  loss = block_sum(loss, sums_of_warps);
  if (threadIdx.x == 0) {
    a.losses[n] = loss / static_cast<double>(a.outputs);
    a.errors[n] = 0;
  }
}

/// logits = bias + the shares in order, then the loss, d logits, and the metrics.
///
/// Blocks: one per sample, a thread every 128th output. The last block adds all samples' losses up.
/// Bytes: (ranges + 2) · N · K · 4. FLOPs: about (ranges + 40) · N · K. Floor: bytes / 3.0 TB/s.
__global__ void __launch_bounds__(classifier_sample_threads) classifier_samples_kernel(ClassifierSamples a) {
  begin_kernel();
  LAYERWISE_SHARED(double, sums_of_warps, [classifier_sample_threads / 32]);
  LAYERWISE_SHARED(bool, is_last, );
  const int64_t n = blockIdx.x, samples = gridDim.x;
  float* const logits = a.logits + n * a.outputs;
  LargestLogit mine{-INFINITY, a.outputs};
  for (int64_t k = threadIdx.x; k < a.outputs; k += blockDim.x) {
    float logit = a.bias[k];
    for (int64_t first = 0; first < a.ranges; first += ranges_at_once) {
      float shares[ranges_at_once];
      LAYERWISE_UNROLL
      for (int i = 0; i < ranges_at_once; ++i)
        shares[i] = first + i < a.ranges ? a.partial[((first + i) * samples + n) * a.outputs + k] : 0.0f;
      LAYERWISE_UNROLL
      for (int i = 0; i < ranges_at_once; ++i) logit += shares[i];
    }
    logits[k] = logit;
    mine = larger(mine, {logit, k});
  }
  if (a.labels == nullptr && a.targets == nullptr) return;

  float* const d_logits = a.d_logits == nullptr ? nullptr : a.d_logits + n * a.outputs;
  if (a.targets != nullptr)
    target_cross_entropy(a, n, logits, d_logits, mine);
  else if (a.projection != nullptr)
    binary_cross_entropy(a, n, logits, d_logits);
  else
    cross_entropy(a, n, logits, d_logits, mine);
  if (a.metrics == nullptr) return;

  if (threadIdx.x == 0) {
    __threadfence();
    is_last = atomicInc(a.ticket, gridDim.x - 1) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (!is_last) return;
  const volatile double* const losses = a.losses;
  const volatile double* const errors = a.errors;
  double loss = 0, error = 0;
  for (int64_t i = threadIdx.x; i < samples; i += blockDim.x) {
    loss += losses[i];
    error += errors[i];
  }
  loss = block_sum(loss, sums_of_warps);
  error = block_sum(error, sums_of_warps);
  if (threadIdx.x == 0) {
    a.metrics->prediction_loss += loss;
    a.metrics->errors += error;
  }
}

template <class T>
struct ClassifierGradients {
  const float* d_logits;             // (N, K)
  int64_t samples, outputs;
  Operand<float, false> d_outputs;   // d_logits: row k, depth n
  Operand<T, false> x;               // row f, depth n
  float* d_weight;                   // (K, F)
  unsigned weight_blocks, feature_tiles;
  Operand<float, true> d_samples;    // d_logits: row n, depth k
  Operand<T, false> backward;        // W or the feedback: row f, depth k
  T* d_x;                            // (N, F)
  unsigned x_blocks;
  float* d_bias;                     // (K)
};

/// to[row, f] = Σ_d left[row, d] · right[f, d], a tile of it.
template <class T, bool along_depth, class To>
__device__ __forceinline__ void classifier_gradient_tile(const Operand<float, along_depth>& left,
                                                         const Operand<T, false>& right, unsigned row_tile,
                                                         unsigned feature_tile,
                                                         Tile<T, classifier_tile>& left_tile,
                                                         Tile<T, classifier_tile>& right_tile, To* to) {
  const int64_t first_row = static_cast<int64_t>(row_tile) * classifier_tile;
  const int64_t first_feature = static_cast<int64_t>(feature_tile) * classifier_tile;
  Accumulator<T, classifier_tile, classifier_tile> sums;
  add_tile_product(sums, left, first_row, right, first_feature, 0, left.depth, left_tile, right_tile);
  sums.each([&](int row, int column, float sum) {
    const int64_t r = first_row + row, f = first_feature + column;
    if (r < left.rows && f < right.rows) store_element(to + r * right.rows + f, sum);
  });
}

/// d_weight = d_logitsᵀ · x, d_x = d_logits · W (or · B), d_bias = Σ d_logits.
///
/// Blocks: tiles of 64 outputs × 64 features of d_weight, then of 64 samples × 64 features of d_x, then 128
/// elements of d_bias each, a thread per element. In Bfloat16 d_logits is rounded for the products.
/// Bytes: 2 · N · F · size + K · F · (size + 4), d_logits from L2. FLOPs: 4 · N · K · F.
/// Floor: bytes / 3.0 TB/s; 4 · N · K · F / 790 TFLOP/s.
template <class T>
__global__ void __launch_bounds__(tile_threads, 3) classifier_gradients_kernel(ClassifierGradients<T> a) {
  begin_kernel();
  LAYERWISE_SHARED(T, left_tile, [classifier_tile][tile_stride<T>]);
  LAYERWISE_SHARED(T, right_tile, [classifier_tile][tile_stride<T>]);
  unsigned block = blockIdx.x;
  if (block < a.weight_blocks) {
    classifier_gradient_tile(a.d_outputs, a.x, block / a.feature_tiles, block % a.feature_tiles, left_tile, right_tile,
                             a.d_weight);
    return;
  }
  block -= a.weight_blocks;
  if (block < a.x_blocks) {
    classifier_gradient_tile(a.d_samples, a.backward, block / a.feature_tiles, block % a.feature_tiles, left_tile,
                             right_tile, a.d_x);
    return;
  }
  block -= a.x_blocks;
  const int64_t k = static_cast<int64_t>(block) * blockDim.x + threadIdx.x;
  if (k >= a.outputs) return;
  float sum = 0;
  for (int64_t n = 0; n < a.samples; ++n) sum += a.d_logits[n * a.outputs + k];
  a.d_bias[k] = sum;
}

namespace {

constexpr int64_t most_ranges = 32;  // a thread adds its output's shares up one after the other

/// Features per share of the logits: as many shares as fill the device, none below two pieces of the depth.
int64_t features_per_range(const Device& device, int64_t tiles, int64_t features) {
  const int64_t wanted = std::clamp<int64_t>(device.multiprocessors / tiles, 1, most_ranges);
  const int64_t each = (features + wanted - 1) / wanted;
  return std::max<int64_t>((each + tile_depth - 1) / tile_depth, 2) * tile_depth;
}

template <class T>
void launch_gradients(const Device& device, const ClassifierLoss& op, const Tensor& d_logits) {
  const int64_t samples = op.x.shape.n, features = op.x.shape.features(), outputs = op.weight.shape.n;
  ClassifierGradients<T> a{};
  a.d_logits = d_logits.as<float>();
  a.samples = samples;
  a.outputs = outputs;
  a.feature_tiles = blocks_for(features, classifier_tile);
  unsigned blocks = 0;
  if (op.d_weight) {
    a.d_outputs = make_operand<false>(a.d_logits, outputs, samples);
    a.x = make_operand<false>(op.x.as<const T>(), features, samples);
    a.d_weight = op.d_weight.as<float>();
    a.d_bias = op.d_bias.as<float>();
    a.weight_blocks = blocks_for(outputs, classifier_tile) * a.feature_tiles;
    blocks += a.weight_blocks + blocks_for(outputs, tile_threads);
  }
  if (op.d_x) {
    a.d_samples = make_operand<true>(a.d_logits, samples, outputs);
    a.backward = make_operand<false>((op.feedback ? op.feedback : op.weight).as<const T>(), features, outputs);
    a.d_x = op.d_x.as<T>();
    a.x_blocks = blocks_for(samples, classifier_tile) * a.feature_tiles;
    blocks += a.x_blocks;
  }
  LAYERWISE_LAUNCH(classifier_gradients_kernel<T>, blocks, tile_threads, 0, device.stream, a);
}

}  // namespace

void classifier_loss(Device& device, const ClassifierLoss& op) {
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const int64_t samples = op.x.shape.n, features = op.x.shape.features(), outputs = op.weight.shape.n;
    const unsigned sample_tiles = blocks_for(samples, classifier_tile);
    const unsigned output_tiles = blocks_for(outputs, classifier_tile);
    const int64_t range = features_per_range(device, static_cast<int64_t>(sample_tiles) * output_tiles, features);
    const unsigned ranges = blocks_for(features, range);
    const ArenaTensor partial = device.arena.take(DataType::float32, Shape{ranges, samples, 1, outputs});
    LAYERWISE_LAUNCH(classifier_logits_kernel<T>, dim3(sample_tiles, output_tiles, ranges), tile_threads, 0,
                     device.stream, make_operand<true>(op.x.as<const T>(), samples, features),
                     make_operand<true>(op.weight.as<const T>(), outputs, features), range,
                     partial.view().as<float>());

    const bool wants_gradient = (op.labels || op.targets) && (op.d_weight || op.d_x);
    const bool needs_rows = wants_gradient || !op.logits;
    const ArenaTensor rows =
        needs_rows ? device.arena.take(DataType::float32, Shape::matrix(samples, outputs)) : ArenaTensor();
    const ArenaTensor sums = device.arena.take(DataType::float64, Shape::matrix(2, samples));
    ClassifierSamples a{};
    a.partial = partial.view().as<float>();
    a.ranges = static_cast<int>(ranges);
    a.bias = op.bias.as<float>();
    a.outputs = outputs;
    a.logits = (op.logits ? op.logits : rows.view()).as<float>();
    a.labels = op.labels.as<int32_t>();
    a.targets = op.targets.as<float>();
    a.projection = op.projection.as<float>();
    a.label_count = op.projection.shape.c;
    const double elsewhere = op.label_smoothing / static_cast<double>(outputs);
    a.at_label = static_cast<float>(1 - op.label_smoothing + elsewhere);
    a.elsewhere = static_cast<float>(elsewhere);
    a.scale = static_cast<float>(op.gradient_scale / static_cast<double>(samples));
    a.d_logits = wants_gradient ? rows.view().as<float>() : nullptr;
    a.losses = sums.view().as<double>();
    a.errors = a.losses + samples;
    a.metrics = op.metrics;
    a.ticket = device.ticket;
    LAYERWISE_LAUNCH(classifier_samples_kernel, static_cast<unsigned>(samples), classifier_sample_threads, 0,
                     device.stream, a);
    if (wants_gradient) launch_gradients<T>(device, op, rows);
  });
}

}  // namespace layerwise::cuda
