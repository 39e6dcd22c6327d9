// The similarity-matching losses and their gradient in two launches: unit vectors, then everything else. The
// matrix of the batch's similarities exists in pieces of 16 × 64 in shared memory only.
//
// With unit vectors u_i = c_i / (ε + |c_i|), c_i = x_i less its mean, S = U·Uᵀ, R = clamp(S) and
// g_ij = 4 / N² · Σ over the targets scale · (R_ij − T_ij) where S_ij is in [−1, 1], else 0:
//
//   du_i = Σ_j g_ij u_j,   dx_i = (du_i − u_i · (ε + |c_i|) / |c_i| · Σ_j g_ij S_ij) / (ε + |c_i|).
//
// Σ_j g_ij S_ij is u_i · du_i without a sum over features, and dx_i has mean zero as every u_j has: blocks
// that make different features of dx_i need nothing of each other.
#include <algorithm>
#include <type_traits>

#include "backend/backend.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/tile_product.cuh"

namespace layerwise::cuda {

constexpr int similarity_rows = 16;      // samples whose gradient a block makes
constexpr int similarity_columns = 64;   // samples with which they are compared at a time
constexpr int kept_pieces = 2;           // of g; a batch of more than 128 samples needs them made again
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
  Operand<T, true> units;       // of x
  const float* norms;
  const int32_t* labels;        // or null: no supervised loss
  float different;              // T of samples with different labels
  Operand<float, true> codes;   // unit codes, or null data: T by labels
  float gradient_scale;         // 4 / N² · that of the operation
  Operand<T, true> input;       // unit vectors, or null data: no unsupervised loss
  float input_scale;            // likewise
  T* d_x;                       // or null
  float* similarity;            // (N, N), or null
  float* target;                // (N, N), or null
  double* losses;               // (blocks in x, 2), scratch: sums of squared differences
  Metrics* metrics;             // or null
  unsigned* ticket;
};

/// Products of 16 unit vectors with 64, as they are handed from the products to the losses.
using SimilarityPiece = float[similarity_rows][similarity_columns + 4];

template <class S>
__device__ __forceinline__ void similarity_piece(const Operand<S, true>& units, int64_t row, int64_t column,
                                                 Tile<S, similarity_rows>& row_tile,
                                                 Tile<S, similarity_columns>& column_tile, SimilarityPiece& piece) {
  Accumulator<S, similarity_rows, similarity_columns> sums;
  add_tile_product(sums, units, row, units, column, 0, units.depth, row_tile, column_tile);
  sums.each([&](int r, int c, float sum) { piece[r][c] = sum; });
}

/// A thread's sums over its part of its row: the losses, and Σ g · S.
struct SimilaritySums {
  double supervised = 0, unsupervised = 0;
  float along = 0;

  __device__ __forceinline__ void add(const SimilaritySums& other) {
    supervised += other.supervised;
    unsupervised += other.unsupervised;
    along += other.along;
  }
};

/// R, the losses and g of a piece, g in two tiles of 32 samples. Eight threads have a row, each takes every
/// eighth column.
template <class T>
__device__ __forceinline__ SimilaritySums
similarity_differences(const SimilarityArguments<T>& a, int64_t first_row, int64_t first_column, bool inspected,
                       const SimilarityPiece& cosines, const SimilarityPiece& of_codes,
                       const SimilarityPiece& of_input, Tile<T, similarity_rows>* gradient) {
  SimilaritySums sums;
  const int row = threadIdx.x / 8;
  const int64_t i = first_row + row;
  for (int column = threadIdx.x % 8; column < similarity_columns; column += 8) {
    const int64_t j = first_column + column;
    float g = 0;
    if (i < a.samples && j < a.samples) {
      const float cosine = cosines[row][column], similarity = fminf(fmaxf(cosine, -1.0f), 1.0f);
      if (inspected && a.similarity != nullptr) a.similarity[i * a.samples + j] = similarity;
      if (a.labels != nullptr) {
        const float target = a.codes.data != nullptr ? fminf(fmaxf(of_codes[row][column], -1.0f), 1.0f)
                             : a.labels[i] == a.labels[j] ? 1.0f : a.different;
        if (inspected && a.target != nullptr) a.target[i * a.samples + j] = target;
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
    store_element(&gradient[column / tile_depth][row][column % tile_depth], g);
  }
  return sums;
}

/// Losses, gradient, and what is to be inspected.
///
/// Blocks: (N / 16, groups of features): each takes 16 samples and every groups-th slice of 64 features of
/// their gradient, and makes the similarities of its samples itself. Blocks of the first group also give the
/// losses, and the last of these adds them up.
/// Bytes: read N · F · size of T once from device memory (N / 16 · groups times from L2), write as much.
/// FLOPs: (groups + 1) · 2 · N² · F, and for the targets groups · 2 · N² · (code size + F of the input).
/// Floor on an H100: 2 · N · F · size / 3.0 TB/s; FLOPs / 790 TFLOP/s for Bfloat16. For float shared
/// memory bounds a block: 24 · F clocks for 128 samples.
template <class T>
__global__ void __launch_bounds__(tile_threads, 3) similarity_loss_kernel(SimilarityArguments<T> a) {
  begin_kernel();
  LAYERWISE_SHARED(T, row_tile, [similarity_rows][tile_stride<T>]);
  LAYERWISE_SHARED(T, column_tile, [similarity_columns][tile_stride<T>]);
  LAYERWISE_SHARED(float, code_row_tile, [similarity_rows][tile_stride<float>]);
  LAYERWISE_SHARED(float, code_column_tile, [similarity_columns][tile_stride<float>]);
  LAYERWISE_SHARED(T, gradient_tiles, [kept_pieces][similarity_columns / tile_depth][similarity_rows][tile_stride<T>]);
  LAYERWISE_SHARED(float, cosines, [similarity_rows][similarity_columns + 4]);
  LAYERWISE_SHARED(float, of_codes, [similarity_rows][similarity_columns + 4]);
  LAYERWISE_SHARED(float, of_input, [similarity_rows][similarity_columns + 4]);
  LAYERWISE_SHARED(float, along, [similarity_rows]);
  LAYERWISE_SHARED(double, sums_of_warps, [tile_threads / 32]);

  const int64_t first_row = static_cast<int64_t>(blockIdx.x) * similarity_rows;
  const int64_t pieces = (a.samples + similarity_columns - 1) / similarity_columns;
  SimilaritySums sums;
  bool is_first = true;
  int64_t feature = static_cast<int64_t>(blockIdx.y) * similarity_columns;
  do {
    Accumulator<T, similarity_rows, similarity_columns> d_units;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t first_column = piece * similarity_columns;
      auto& gradient = gradient_tiles[piece % kept_pieces];
      if (is_first || pieces > kept_pieces) {
        similarity_piece(a.units, first_row, first_column, row_tile, column_tile, cosines);
        if (a.codes.data != nullptr)
          similarity_piece(a.codes, first_row, first_column, code_row_tile, code_column_tile, of_codes);
        if (a.input.data != nullptr)
          similarity_piece(a.input, first_row, first_column, row_tile, column_tile, of_input);
        __syncthreads();
        const SimilaritySums of_piece = similarity_differences(
            a, first_row, first_column, is_first && blockIdx.y == 0, cosines, of_codes, of_input, gradient);
        if (is_first) sums.add(of_piece);
        __syncthreads();
      }
      if (a.d_x == nullptr) continue;
      const Operand<T, false> transposed{a.units.data, a.units.stride, a.units.rows, a.units.stride, true};
      PieceLoader<T, false, similarity_columns> loader;
      for (int half = 0; half < similarity_columns / tile_depth; ++half) {
        loader.load(transposed, feature, first_column + half * tile_depth, a.units.rows);
        loader.template store<T>(column_tile);
        __syncthreads();
        d_units.multiply(gradient[half], column_tile);
        __syncthreads();
      }
    }
    if (is_first) {
      for (int offset = 4; offset > 0; offset /= 2) sums.along += __shfl_xor_sync(all_lanes, sums.along, offset);
      if (threadIdx.x % 8 == 0) along[threadIdx.x / 8] = sums.along;
      __syncthreads();
      is_first = false;
    }
    if (a.d_x != nullptr) {
      d_units.each([&](int row, int column, float d_unit) {
        const int64_t n = first_row + row, f = feature + column;
        if (n >= a.samples || f >= a.features) return;
        const float norm = a.norms[n], denominator = norm + static_cast<float>(similarity_epsilon);
        const float unit = load_element(a.units.at(n, f));
        const float d_x = norm == 0 ? 0.0f : (d_unit - unit * (denominator / norm) * along[row]) / denominator;
        store_element(a.d_x + n * a.features + f, d_x);
      });
    }
    feature += static_cast<int64_t>(gridDim.y) * similarity_columns;
  } while (a.d_x != nullptr && feature < a.features);

  if (a.metrics == nullptr || blockIdx.y != 0) return;
  const double supervised = block_sum(sums.supervised, sums_of_warps);
  const double unsupervised = block_sum(sums.unsupervised, sums_of_warps);
  if (threadIdx.x != 0) return;
  a.losses[2 * blockIdx.x] = supervised;
  a.losses[2 * blockIdx.x + 1] = unsupervised;
  __threadfence();
  if (atomicInc(a.ticket, gridDim.x - 1) != gridDim.x - 1) return;
  __threadfence();
  const volatile double* const losses = a.losses;
  double total = 0, total_of_input = 0;
  for (unsigned block = 0; block < gridDim.x; ++block) {
    total += losses[2 * block];
    total_of_input += losses[2 * block + 1];
  }
  a.metrics->similarity_loss += total / static_cast<double>(a.samples);  // N · (sum / N²)
  a.metrics->unsupervised_loss += total_of_input / static_cast<double>(a.samples);
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
    const bool has_codes = op.labels && op.projection;
    const ArenaTensor units = take_units<T>(device, samples, features);
    const ArenaTensor norms = device.arena.take(DataType::float32, Shape::vector(samples));
    const ArenaTensor codes = has_codes ? take_units<float>(device, samples, op.projection.shape.n) : ArenaTensor();
    const ArenaTensor input = op.input ? take_units<T>(device, samples, op.input.shape.features()) : ArenaTensor();
    make_units<T>(device, op.x, units, norms.view().as<float>());
    if (codes) make_code_units(device, op, codes);
    if (input) make_units<T>(device, op.input, input, nullptr);

    const unsigned row_blocks = blocks_for(samples, similarity_rows);
    const unsigned slices = op.d_x ? blocks_for(features, similarity_columns) : 1;
    const unsigned groups = std::clamp(static_cast<unsigned>(device.multiprocessors) / row_blocks, 1u, slices);
    const ArenaTensor losses = device.arena.take(DataType::float64, Shape::matrix(row_blocks, 2));
    const double per_pair = 4 / (static_cast<double>(samples) * static_cast<double>(samples));
    SimilarityArguments<T> a{};
    a.samples = samples;
    a.features = features;
    a.units = units_operand<T>(units);
    a.norms = norms.view().as<float>();
    a.labels = op.labels.as<int32_t>();
    if (op.labels && !op.projection) a.different = static_cast<float>(-1.0 / static_cast<double>(op.classes - 1));
    a.codes = units_operand<float>(codes);
    a.gradient_scale = static_cast<float>(per_pair * op.gradient_scale);
    a.input = units_operand<T>(input);
    a.input_scale = static_cast<float>(per_pair * op.input_scale);
    a.d_x = op.d_x.as<T>();
    a.similarity = op.similarity.as<float>();
    a.target = op.target.as<float>();
    a.losses = losses.view().as<double>();
    a.metrics = op.metrics;
    a.ticket = device.ticket;
    LAYERWISE_LAUNCH(similarity_loss_kernel<T>, dim3(row_blocks, groups), tile_threads, 0, device.stream, a);
  });
}

}  // namespace layerwise::cuda
