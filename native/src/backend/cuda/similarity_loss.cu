// The similarity-matching losses and their gradient in three launches: unit vectors; the batch's similarities with the
// losses and g; the gradient. Of the similarities only g is stored, N² numbers that stay in the L2 cache.
//
// With unit vectors u_i = c_i / (ε + |c_i|), c_i = x_i less its mean, S = U·Uᵀ, R = clamp(S) and
// g_ij = 4 / N² · Σ over the targets scale · (R_ij − T_ij) where S_ij is in [−1, 1], else 0:
//
//   du_i = Σ_j g_ij u_j,   dx_i = (du_i − u_i · (ε + |c_i|) / |c_i| · Σ_j g_ij S_ij) / (ε + |c_i|).
//
// Σ_j g_ij S_ij is u_i · du_i without a sum over features, and dx_i has mean zero as every u_j has: blocks
// that make different features of dx_i need nothing of each other.
#include <type_traits>

#include "backend/backend.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/tile_product.cuh"

namespace layerwise::cuda {

constexpr int similarity_rows = 16;      // samples whose gradient a block makes
constexpr int similarity_columns = 64;   // features of the gradient that it makes
/// Samples with which a block compares its 16: few, where shared memory bounds it and small blocks occupy the device better.
template <class T>
constexpr int compared_samples = std::is_same_v<T, float> ? 32 : 64;
constexpr int unit_threads = 128;

/// Unit vectors of samples, or of the codes of their labels.
template <class T, class S>
struct UnitVectors {
  const T* values;
  const int32_t* labels;     // null: element (n, f) is values[n · features + f], else values[f · classes + label]
  int64_t classes;
  int64_t samples, features;
  int64_t padded_features;   // the stride of units
  S* units;                  // out; zeros up to the padded number of features, and for samples from N on
  float* norms;              // (N), out: |c|; or null
};

/// Blocks: one per sample, threads a feature each, in steps of 128: neighbours take neighbours. The mean and
/// the norm are summed in double, so that a constant vector is zero when centred.
/// Bytes: read N · F · size of T (three times, from the caches but for the first), write N · F · size of S.
/// FLOPs: 5 · N · F. Floor on an H100: N · F · (size of T + size of S) / 3.0 TB/s.
template <class T, class S>
__global__ void __launch_bounds__(unit_threads) unit_vectors_kernel(UnitVectors<T, S> a) {
  begin_kernel();
  LAYERWISE_SHARED(double, scratch, [unit_threads / 32]);
  const int64_t n = blockIdx.x;
  S* const unit = a.units + n * a.padded_features;
  if (n >= a.samples) {
    for (int64_t f = threadIdx.x; f < a.padded_features; f += blockDim.x) store_element(unit + f, 0.0f);
    return;
  }
  const T* const first = a.labels == nullptr ? a.values + n * a.features : a.values + a.labels[n];
  const int64_t step = a.labels == nullptr ? 1 : a.classes;
  double sum = 0;
  for (int64_t f = threadIdx.x; f < a.features; f += blockDim.x) sum += load_element(first + f * step);
  const double mean = block_sum(sum, scratch) / static_cast<double>(a.features);
  double squares = 0;
  for (int64_t f = threadIdx.x; f < a.features; f += blockDim.x) {
    const double centred = load_element(first + f * step) - mean;
    squares += centred * centred;
  }
  const double norm = sqrt(block_sum(squares, scratch));
  const double inverse = 1 / (similarity_epsilon + norm);
  for (int64_t f = threadIdx.x; f < a.padded_features; f += blockDim.x) {
    const double value = f < a.features ? (load_element(first + f * step) - mean) * inverse : 0;
    store_element(unit + f, static_cast<float>(value));
  }
  if (a.norms != nullptr && threadIdx.x == 0) a.norms[n] = static_cast<float>(norm);
}

template <class T>
struct SimilarityArguments {
  int64_t samples, features;
  int64_t first, end;           // the rows that are wanted
  int64_t skipped;              // rows before those of the first blocks: a multiple of 16, at most `first`
  Operand<T, true> units;       // of x
  const float* norms;
  bool supervised;              // by labels, or by codes
  const int32_t* labels;        // null where codes of their own take their place
  float different;              // T of samples with different labels
  Operand<float, true> codes;   // unit codes of labels, or unit targets; null data: T by labels
  float gradient_scale;         // 4 / N² · that of the operation
  Operand<T, true> input;       // unit vectors, or null data: no unsupervised loss
  float input_scale;            // likewise
  T* d_x;                       // or null
  T* gradient;                  // g: (16 · blocks, N rounded up to 64), scratch; null where d_x is
  float* along;                 // (pieces of columns, 16 · blocks), scratch: Σ g · S over a piece
  float* similarity;            // (end − first, N), or null
  float* target;                // likewise
  double* losses;               // (blocks, 2), scratch: sums of squared differences
  Metrics* metrics;             // or null
  unsigned* ticket;
};

/// Products of 16 unit vectors with others, as they are handed from the products to the losses.
template <int columns>
using SimilarityPiece = float[similarity_rows][columns + 4];

template <class S, int columns>
__device__ __forceinline__ void similarity_piece(const Operand<S, true>& units, int64_t row, int64_t column,
                                                 Tile<S, similarity_rows>& row_tile, Tile<S, columns>& column_tile,
                                                 float (&piece)[similarity_rows][columns + 4]) {
  Accumulator<S, similarity_rows, columns> sums;
  add_tile_product(sums, units, row, units, column, 0, units.depth, row_tile, column_tile);
  sums.each([&](int r, int c, float sum) { piece[r][c] = sum; });
}

/// A thread's sums over its part of its row: the losses, and Σ g · S.
struct SimilaritySums {
  double supervised = 0, unsupervised = 0;
  float along = 0;
};

/// R, the losses and g of a piece. Eight threads have a row, each takes every eighth column.
template <class T>
__device__ __forceinline__ SimilaritySums similarity_differences(
    const SimilarityArguments<T>& a, int64_t first_row, int64_t first_column,
    const SimilarityPiece<compared_samples<T>>& cosines, const SimilarityPiece<compared_samples<T>>& of_codes,
    const SimilarityPiece<compared_samples<T>>& of_input) {
  SimilaritySums sums;
  const int row = threadIdx.x / 8;
  const int64_t i = first_row + row, wanted = i - a.first;
  for (int column = threadIdx.x % 8; column < compared_samples<T>; column += 8) {
    const int64_t j = first_column + column;
    float g = 0;
    if (wanted >= 0 && i < a.end && j < a.samples) {
      const float cosine = cosines[row][column], similarity = fminf(fmaxf(cosine, -1.0f), 1.0f);
      if (a.similarity != nullptr) a.similarity[wanted * a.samples + j] = similarity;
      if (a.supervised) {
        const float target = a.codes.data != nullptr ? fminf(fmaxf(of_codes[row][column], -1.0f), 1.0f)
                             : a.labels[i] == a.labels[j] ? 1.0f : a.different;
        if (a.target != nullptr) a.target[wanted * a.samples + j] = target;
        const float difference = similarity - target;
        sums.supervised += difference * difference;
        g += a.gradient_scale * difference;
      }
      if (a.input.data != nullptr) {
        const float difference = similarity - fminf(fmaxf(of_input[row][column], -1.0f), 1.0f);
        sums.unsupervised += difference * difference;
        g += a.input_scale * difference;
      }
      if (similarity != cosine) g = 0;  // the clamp passes the gradient on the closed interval
      sums.along += g * cosine;
    }
    if (a.gradient != nullptr) store_element(a.gradient + (i - a.skipped) * a.units.rows + j, g);
  }
  return sums;
}

/// Similarities, losses, g, and what is to be inspected.
///
/// Blocks: (wanted rows / 16, N / compared_samples), a piece of the similarities each. The last one adds up the losses.
/// Bytes: read N · F · size of T once from device memory (N / 16 times from L2), write N² · size of T.
/// FLOPs: 2 · N² · F, and 2 · N² · (code size + F of the input) for the targets.
/// Floor on an H100: N · F · size / 3.0 TB/s. For float shared memory bounds a block: 8 · F clocks.
template <class T>
__global__ void __launch_bounds__(tile_threads) similarity_loss_kernel(SimilarityArguments<T> a) {
  begin_kernel();
  constexpr int columns = compared_samples<T>;
  LAYERWISE_SHARED(T, row_tile, [similarity_rows][tile_stride<T>]);
  LAYERWISE_SHARED(T, column_tile, [columns][tile_stride<T>]);
  LAYERWISE_SHARED(float, code_row_tile, [similarity_rows][tile_stride<float>]);
  LAYERWISE_SHARED(float, code_column_tile, [columns][tile_stride<float>]);
  LAYERWISE_SHARED(float, cosines, [similarity_rows][columns + 4]);
  LAYERWISE_SHARED(float, of_codes, [similarity_rows][columns + 4]);
  LAYERWISE_SHARED(float, of_input, [similarity_rows][columns + 4]);
  LAYERWISE_SHARED(double, sums_of_warps, [tile_threads / 32]);

  const int64_t own_row = static_cast<int64_t>(blockIdx.x) * similarity_rows, first_row = a.skipped + own_row;
  const int64_t first_column = static_cast<int64_t>(blockIdx.y) * columns;
  similarity_piece(a.units, first_row, first_column, row_tile, column_tile, cosines);
  if (a.codes.data != nullptr)
    similarity_piece(a.codes, first_row, first_column, code_row_tile, code_column_tile, of_codes);
  if (a.input.data != nullptr)
    similarity_piece(a.input, first_row, first_column, row_tile, column_tile, of_input);
  __syncthreads();
  SimilaritySums sums = similarity_differences(a, first_row, first_column, cosines, of_codes, of_input);
  for (int offset = 4; offset > 0; offset /= 2) sums.along += __shfl_xor_sync(all_lanes, sums.along, offset);
  if (a.gradient != nullptr && threadIdx.x % 8 == 0)
    a.along[static_cast<int64_t>(blockIdx.y) * gridDim.x * similarity_rows + own_row + threadIdx.x / 8] = sums.along;

  if (a.metrics == nullptr) return;
  const double supervised = block_sum(sums.supervised, sums_of_warps);
  const double unsupervised = block_sum(sums.unsupervised, sums_of_warps);
  if (threadIdx.x != 0) return;
  const unsigned blocks = gridDim.x * gridDim.y, block = blockIdx.y * gridDim.x + blockIdx.x;
  a.losses[2 * block] = supervised;
  a.losses[2 * block + 1] = unsupervised;
  __threadfence();
  if (atomicInc(a.ticket, blocks - 1) != blocks - 1) return;
  __threadfence();
  const volatile double* const losses = a.losses;
  double total = 0, total_of_input = 0;
  for (unsigned other = 0; other < blocks; ++other) {
    total += losses[2 * other];
    total_of_input += losses[2 * other + 1];
  }
  a.metrics->similarity_loss += total / static_cast<double>(a.samples);  // N · (sum / N²)
  a.metrics->unsupervised_loss += total_of_input / static_cast<double>(a.samples);
}

/// dx from g and the unit vectors.
///
/// Blocks: (wanted rows / 16, F / 64), 16 samples' gradient at 64 features each.
/// Bytes: read N · F · size of T and N² · size of T (from L2), write N · F · size. FLOPs: 2 · N² · F.
/// Floor on an H100: 2 · N · F · size / 3.0 TB/s. For float shared memory bounds a block: 12 · N clocks.
template <class T>
__global__ void __launch_bounds__(tile_threads) similarity_gradient_kernel(SimilarityArguments<T> a) {
  begin_kernel();
  LAYERWISE_SHARED(T, gradient_tile, [similarity_rows][tile_stride<T>]);
  LAYERWISE_SHARED(T, feature_tile, [similarity_columns][tile_stride<T>]);
  LAYERWISE_SHARED(float, along, [similarity_rows]);
  const int64_t rows = int64_t{gridDim.x} * similarity_rows, padded_samples = a.units.rows;
  const int64_t first_row = static_cast<int64_t>(blockIdx.x) * similarity_rows;
  const int64_t first_feature = static_cast<int64_t>(blockIdx.y) * similarity_columns;
  if (threadIdx.x < similarity_rows) {
    float sum = 0;
    for (int64_t piece = 0; piece < padded_samples / compared_samples<T>; ++piece)
      sum += a.along[piece * rows + first_row + threadIdx.x];
    along[threadIdx.x] = sum;
  }
  const Operand<T, true> gradient{a.gradient, rows, padded_samples, padded_samples, true};
  const Operand<T, false> features{a.units.data, a.units.stride, padded_samples, a.units.stride, true};
  Accumulator<T, similarity_rows, similarity_columns> d_units;
  add_tile_product(d_units, gradient, first_row, features, first_feature, 0, padded_samples, gradient_tile,
                   feature_tile);
  d_units.each([&](int row, int column, float d_unit) {
    const int64_t n = a.skipped + first_row + row, f = first_feature + column;
    if (n < a.first || n >= a.end || f >= a.features) return;
    const float norm = a.norms[n], denominator = norm + static_cast<float>(similarity_epsilon);
    const float unit = load_element(a.units.at(n, f));
    const float d_x = norm == 0 ? 0.0f : (d_unit - unit * (denominator / norm) * along[row]) / denominator;
    store_element(a.d_x + (n - a.first) * a.features + f, d_x);
  });
}

namespace {

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

template <class T>
constexpr DataType data_type = std::is_same_v<T, float> ? DataType::float32 : DataType::bfloat16;

/// Room for unit vectors, as whole pieces: kernels need not look for their end.
template <class S>
ArenaTensor take_units(const Device& device, int64_t samples, int64_t features) {
  return device.arena.take(data_type<S>, Shape::matrix(round_up(samples, similarity_columns),
                                                       round_up(features, similarity_columns)));
}

template <class S>
Operand<S, true> units_operand(const Tensor& units) {
  if (!units) return {};
  return make_operand<true>(units.as<const S>(), units.shape.n, units.shape.c);
}

template <class S>
void make_units(const Device& device, const Tensor& x, const Tensor& units, float* norms) {
  with_storage(x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    UnitVectors<T, S> a{};
    a.values = x.as<T>();
    a.samples = x.shape.n;
    a.features = x.shape.features();
    a.padded_features = units.shape.c;
    a.units = units.as<S>();
    a.norms = norms;
    LAYERWISE_LAUNCH((unit_vectors_kernel<T, S>), static_cast<unsigned>(units.shape.n), unit_threads, 0,
                     device.stream, a);
  });
}

void make_code_units(const Device& device, const SimilarityLoss& op, const Tensor& units) {
  UnitVectors<float, float> a{};
  a.values = op.projection.as<float>();
  a.labels = op.labels.as<int32_t>();
  a.classes = op.projection.shape.c;
  a.samples = op.x.shape.n;
  a.features = op.projection.shape.n;
  a.padded_features = units.shape.c;
  a.units = units.as<float>();
  LAYERWISE_LAUNCH((unit_vectors_kernel<float, float>), static_cast<unsigned>(units.shape.n), unit_threads, 0,
                   device.stream, a);
}

}  // namespace

void similarity_loss(Device& device, const SimilarityLoss& op) {
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const int64_t samples = op.x.shape.n, features = op.x.shape.features();
    const Tensor codes_of = op.targets ? op.targets : op.labels ? op.projection : Tensor();
    const int64_t code_size = op.targets ? op.targets.shape.c : op.projection.shape.n;
    const ArenaTensor units = take_units<T>(device, samples, features);
    const ArenaTensor norms = device.arena.take(DataType::float32, Shape::vector(samples));
    const ArenaTensor codes = codes_of ? take_units<float>(device, samples, code_size) : ArenaTensor();
    const ArenaTensor input = op.input ? take_units<T>(device, samples, op.input.shape.features()) : ArenaTensor();
    make_units<T>(device, op.x, units, norms.view().as<float>());
    if (op.targets)
      make_units<float>(device, op.targets, codes, nullptr);
    else if (codes)
      make_code_units(device, op, codes);
    if (input) make_units<T>(device, op.input, input, nullptr);

    const int64_t first = op.first_row, end = first + op.row_count();
    const int64_t skipped = first / similarity_rows * similarity_rows;
    const unsigned row_blocks = blocks_for(end - skipped, similarity_rows), pieces = static_cast<unsigned>(units.view().shape.n / compared_samples<T>);
    const int64_t rows = int64_t{row_blocks} * similarity_rows;
    const ArenaTensor losses = device.arena.take(DataType::float64, Shape::matrix(int64_t{row_blocks} * pieces, 2));
    ArenaTensor gradient, along;
    if (op.d_x) {
      gradient = device.arena.take(data_type<T>, Shape::matrix(rows, units.view().shape.n));
      along = device.arena.take(DataType::float32, Shape::matrix(pieces, rows));
    }
    const double per_pair = 4 / (static_cast<double>(samples) * static_cast<double>(samples));
    SimilarityArguments<T> a{};
    a.samples = samples;
    a.first = first;
    a.end = end;
    a.skipped = skipped;
    a.features = features;
    a.units = units_operand<T>(units);
    a.norms = norms.view().as<float>();
    a.supervised = op.is_supervised();
    a.labels = op.labels.as<int32_t>();
    if (op.labels && !op.projection) a.different = static_cast<float>(-1.0 / static_cast<double>(op.classes - 1));
    a.codes = units_operand<float>(codes);
    a.gradient_scale = static_cast<float>(per_pair * op.gradient_scale);
    a.input = units_operand<T>(input);
    a.input_scale = static_cast<float>(per_pair * op.input_scale);
    a.d_x = op.d_x.as<T>();
    a.gradient = gradient.view().as<T>();
    a.along = along.view().as<float>();
    a.similarity = op.similarity.as<float>();
    a.target = op.target.as<float>();
    a.losses = losses.view().as<double>();
    a.metrics = op.metrics;
    a.ticket = device.ticket;
    LAYERWISE_LAUNCH(similarity_loss_kernel<T>, dim3(row_blocks, pieces), tile_threads, 0, device.stream, a);
    if (op.d_x)
      LAYERWISE_LAUNCH(similarity_gradient_kernel<T>, dim3(row_blocks, blocks_for(features, similarity_columns)),
                       tile_threads, 0, device.stream, a);
  });
}

}  // namespace layerwise::cuda
