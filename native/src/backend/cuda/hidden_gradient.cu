// From dh of the similarity branch to g, the gradient at the block's pre-activation:
//   g = (dh + average-unpool(d_pooled) + dropout'(max-unpool(d_output)) + d_h) · act'(h),
// and batch norm's Σ g and Σ g · (y − mean_y) per channel. It is the epilogue of the similarity branch's data
// gradient; without such a branch it runs alone.
//
// Threads: each takes four neighbouring channels of every fourth row (WarpColumns); h, y and d_h of four such rows are on
// their way at a time.
// Bytes: read h, y (and d_h), write g, all of M · C · size; d_pooled and d_output as many times fewer as
// their windows have positions. Floor of the kernel alone on an H100: 3 · M · C · size / 3.0 TB/s.
//
// Where dz is affine in z it is written over z first. Then come the weight gradient of the similarity branch, and its
// data gradient with all the rest as its epilogue. Bytes: z twice for dz, dz and h for the weight gradient, dz, h, y and g
// for the data gradient. FLOPs: 4 · N · positions · C² · KH · KW.
#include <algorithm>
#include <initializer_list>
#include <type_traits>

#include "backend/cuda/device_code.h"
#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/gemm_tiles.cuh"
#include "backend/cuda/implicit_gemm_launch.h"
#include "backend/cuda/product.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

// What dropout multiplies the channels of each sample by: 0 or 1 / (1 − probability). (N, C) numbers, so
// that kernels over maps need not work out random words for every position.
//
// Threads: each takes the four words of one Philox counter, elements 4i … 4i + 3.
// Bytes: 4 · N · C, written once. FLOPs: about 100 integer operations per four elements.
constexpr int dropout_factor_threads = 128;

__global__ void __launch_bounds__(dropout_factor_threads)
    dropout_factors_kernel(float* factors, int64_t count, const StepState* step, uint32_t stream, uint32_t threshold,
                           float kept) {
  begin_kernel();
  const int64_t index = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (4 * index >= count) return;
  const RandomKey key{step->seed, RandomPurpose::dropout, stream, step->step};
  const PhiloxWords words = random_words(key, static_cast<uint64_t>(index));
  LAYERWISE_UNROLL
  for (int i = 0; i < 4; ++i)
    if (4 * index + i < count) factors[4 * index + i] = words.word[i] < threshold ? 0.0f : kept;
}

template <class T>
struct HiddenEpilogue {
  T* g;
  const T* h;
  int rows, channels;
  int height, width;
  Divisor area, row_width;  // of h
  float negative_slope;

  const T* d_pooled;  // or null
  Divisor pool_height, pool_width;
  int pool_padding_height, pool_padding_width, pooled_height, pooled_width;
  float pooled_weight;  // 1 / (kernel_height · kernel_width)

  const T* d_output;  // or null
  bool max_pool;
  int output_height, output_width;
  const float* dropout;  // (N, C), or null

  const T* d_h;  // or null

  const T* y;  // or null: no batch norm
  const float* mean_y;
  float2* pairs;  // (groups of rows, C): Σ g, Σ g · (y − mean_y)

  /// `has_product`: whether dh of the branch is in the tile; otherwise there is none.
  template <class Block, bool fours, bool has_product = true>
  __device__ __forceinline__ void finish(const float* tile, int tile_row, int tile_column, int) const {
    using Columns = WarpColumns<Block>;
    const Columns mine(tile, tile_row, tile_column);
    const int end = min(mine.row + Columns::rows, rows);
    float mean[4] = {}, sum[4] = {}, product[4] = {};
    if (y != nullptr) load_neighbours<false>(mean_y, mine.column, channels, mean);
    const int begin = mine.column < channels ? mine.first_row(mine.row) : end;
    for (int first = begin; first < end; first += rows_ahead * Columns::lanes_down) {
      float hidden[rows_ahead][4], before[rows_ahead][4], more[rows_ahead][4];
      LAYERWISE_UNROLL
      for (int i = 0; i < rows_ahead; ++i) {
        const int row = first + i * Columns::lanes_down;
        if (row >= end) continue;
        const int64_t at = static_cast<int64_t>(row) * channels;
        load_neighbours<fours>(h + at, mine.column, channels, hidden[i]);
        if (y != nullptr) load_neighbours<fours>(y + at, mine.column, channels, before[i]);
        if (d_h != nullptr) load_neighbours<fours>(d_h + at, mine.column, channels, more[i]);
      }
      LAYERWISE_UNROLL
      for (int i = 0; i < rows_ahead; ++i) {
        const int row = first + i * Columns::lanes_down;
        if (row >= end) continue;
        float values[4] = {};
        if constexpr (has_product) mine.load(row, values);
        int rest, w;
        const int n = area.quotient(row, rest);
        const int row_of_map = row_width.quotient(rest, w);
        if (d_pooled != nullptr) add_pooled<fours>(values, n, row_of_map, w, mine.column);
        if (d_output != nullptr) add_output<fours>(values, row, n, row_of_map, w, mine.column);
        LAYERWISE_UNROLL
        for (int e = 0; e < 4; ++e) {
          if (d_h != nullptr) values[e] += more[i][e];
          if (!(hidden[i][e] > 0)) values[e] *= negative_slope;
          sum[e] += values[e];
          if (y != nullptr) product[e] = fmaf(values[e], before[i][e] - mean[e], product[e]);
        }
        store_neighbours<fours>(g + static_cast<int64_t>(row) * channels, mine.column, channels, values);
      }
    }
    if (y == nullptr || mine.row >= end) return;  // the same for all lanes
    float2* const to = pairs + static_cast<int64_t>(mine.row / Columns::rows) * channels + mine.column;
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e) {
      const float2 pair = {Columns::sum_down(sum[e]), Columns::sum_down(product[e])};
      if (Columns::is_first_lane_down() && mine.column + e < channels) to[e] = pair;
    }
  }

 private:
  static constexpr int rows_ahead = 4;  // whose h, y and d_h are on their way at a time

  template <bool fours>
  __device__ __forceinline__ void add_pooled(float (&values)[4], int n, int row, int w, int c) const {
    const int window_row = pool_height.quotient(row + pool_padding_height);
    const int window_column = pool_width.quotient(w + pool_padding_width);
    if (window_row >= pooled_height || window_column >= pooled_width) return;
    const int64_t window = (static_cast<int64_t>(n) * pooled_height + window_row) * pooled_width + window_column;
    float more[4];
    load_neighbours<fours>(d_pooled + window * channels, c, channels, more);
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e) values[e] = fmaf(pooled_weight, more[e], values[e]);
  }

  template <bool fours>
  __device__ __forceinline__ void add_output(float (&values)[4], int m, int n, int row, int w, int c) const {
    int64_t from = m;
    int first[4] = {};  // position of the window's first maximum, in row order
    int here = 0;
    if (max_pool) {
      if (row / 2 >= output_height || w / 2 >= output_width) return;
      from = (static_cast<int64_t>(n) * output_height + row / 2) * output_width + w / 2;
      here = row % 2 * 2 + w % 2;
      first_maximum<fours>(first, m - row % 2 * width - w % 2, c);
    }
    float more[4], factors[4] = {1, 1, 1, 1};
    load_neighbours<fours>(d_output + from * channels, c, channels, more);
    if (dropout != nullptr) load_neighbours<false>(dropout + static_cast<int64_t>(n) * channels, c, channels, factors);
    LAYERWISE_UNROLL
    for (int e = 0; e < 4; ++e)
      if (first[e] == here) values[e] = fmaf(factors[e], more[e], values[e]);
  }

  /// `m`: the first position of the 2×2 window.
  template <bool fours>
  __device__ __forceinline__ void first_maximum(int (&first)[4], int64_t m, int c) const {
    float largest[4];
    load_neighbours<fours>(h + m * channels, c, channels, largest);
    LAYERWISE_UNROLL
    for (int position = 1; position < 4; ++position) {
      float other[4];
      load_neighbours<fours>(h + (m + position / 2 * width + position % 2) * channels, c, channels, other);
      LAYERWISE_UNROLL
      for (int e = 0; e < 4; ++e) {
        if (!(other[e] > largest[e])) continue;
        largest[e] = other[e];
        first[e] = position;
      }
    }
  }
};

/// The gradient where h has no similarity branch. Blocks take parts of g as the GEMM's do.
template <class T, bool fours>
__global__ void __launch_bounds__(SmallTile::threads)
    hidden_gradient_kernel(HiddenEpilogue<T> epilogue, int column_tiles) {
  begin_kernel();
  const int block = static_cast<int>(blockIdx.x);
  epilogue.template finish<SmallTile, fours, false>(nullptr, block / column_tiles * SmallTile::rows,
                                             block % column_tiles * SmallTile::columns, 0);
}

namespace {

/// (N, C), or absent where nothing is dropped.
ArenaTensor dropout_factors(const Device& device, const HiddenGradient& op) {
  if (!op.d_output || op.dropout.probability == 0) return {};
  ArenaTensor factors = device.arena.take(DataType::float32, Shape::matrix(op.h.shape.n, op.h.shape.c));
  const int64_t count = factors.view().shape.elements();
  LAYERWISE_LAUNCH(dropout_factors_kernel, blocks_for(count, 4 * dropout_factor_threads), dropout_factor_threads, 0,
                   device.stream, factors.view().as<float>(), count, device.step, op.dropout.stream,
                   dropout_threshold(op.dropout.probability), static_cast<float>(1 / (1 - op.dropout.probability)));
  return factors;
}

template <class T>
HiddenEpilogue<T> hidden_epilogue(const HiddenGradient& op, const Tensor& dropout) {
  const Shape& map = op.h.shape;
  HiddenEpilogue<T> e{};
  e.g = op.g.as<T>();
  e.h = op.h.as<T>();
  e.rows = as_int(map.n * map.positions());
  e.channels = static_cast<int>(map.c);
  e.height = static_cast<int>(map.h);
  e.width = static_cast<int>(map.w);
  e.area = Divisor(map.positions());
  e.row_width = Divisor(map.w);
  e.negative_slope = static_cast<float>(op.negative_slope);
  const AveragePooling& pooling = op.average_pooling;
  e.d_pooled = op.d_pooled.as<T>();
  e.pool_height = Divisor(pooling.kernel_height);
  e.pool_width = Divisor(pooling.kernel_width);
  e.pool_padding_height = static_cast<int>(pooling.padding_height);
  e.pool_padding_width = static_cast<int>(pooling.padding_width);
  e.pooled_height = static_cast<int>(op.d_pooled.shape.h);
  e.pooled_width = static_cast<int>(op.d_pooled.shape.w);
  e.pooled_weight = 1.0f / static_cast<float>(pooling.kernel_height * pooling.kernel_width);
  e.d_output = op.d_output.as<T>();
  e.max_pool = op.max_pool;
  e.output_height = static_cast<int>(op.d_output.shape.h);
  e.output_width = static_cast<int>(op.d_output.shape.w);
  e.dropout = dropout.as<float>();
  e.d_h = op.d_h.as<T>();
  e.y = op.y.as<T>();
  e.mean_y = op.mean_y.as<float>();
  return e;
}

/// Whether four neighbouring channels of every map lie at an aligned address.
template <class T>
bool maps_have_fours(const HiddenGradient& op) {
  const std::initializer_list<const Tensor*> maps = {&op.g, &op.h, &op.d_pooled, &op.d_output, &op.d_h, &op.y};
  return std::all_of(maps.begin(), maps.end(),
                     [&](const Tensor* map) { return has_fours(static_cast<const T*>(map->as<T>()), op.h.shape.c); });
}

}  // namespace

void fused::hidden_gradient(Device& device, const HiddenGradient& op, const Tensor& d_z) {
  const ArenaTensor dropout = dropout_factors(device, op);
  with_storage(op.h.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    HiddenEpilogue<T> epilogue = hidden_epilogue<T>(op, dropout);
    const bool fours = maps_have_fours<T>(op);
    ArenaTensor pairs;
    int64_t groups = 0;
    const auto take_pairs = [&](int rows_per_group) {
      if (!op.y) return;
      groups = (epilogue.rows + rows_per_group - 1) / rows_per_group;
      pairs = device.arena.take(DataType::float32, {groups, 1, op.h.shape.c, 2});
      epilogue.pairs = static_cast<float2*>(pairs.view().data);
    };
    if (!op.similarity_weight) {
      take_pairs(WarpColumns<SmallTile>::rows);
      const unsigned column_tiles = blocks_for(epilogue.channels, SmallTile::columns);
      const unsigned blocks = blocks_for(epilogue.rows, SmallTile::rows) * column_tiles;
      const auto launch = [&](auto aligned) {
        LAYERWISE_LAUNCH((hidden_gradient_kernel<T, decltype(aligned)::value>), blocks, SmallTile::threads, 0,
                         device.stream, epilogue, static_cast<int>(column_tiles));
      };
      fours ? launch(std::true_type{}) : launch(std::false_type{});
    } else {
      const DataGradientOperands<T> operands(device, op.similarity_convolution, d_z, op.similarity_weight, op.h.shape,
                                             fours);
      take_pairs(operands.plan.moment_rows);
      run_gemm<Inner::depth, Inner::extent>(device, operands.plan, typed, operands.a, operands.b, epilogue);
    }
    if (op.y) sum_pairs(device, pairs, groups, op.d_shift, op.d_scale, op.variance_y);
  });
}

void hidden_gradient(Device& device, const HiddenGradient& op) {
  if (!op.similarity_weight) return fused::hidden_gradient(device, op, {});
  if (op.d_deviation) deviation_gradient(device, {op.z, op.mean, op.deviation, op.d_deviation, op.z});
  const Tensor& d_z = op.d_deviation ? op.z : op.d_z;
  const Convolution& geometry = op.similarity_convolution;
  convolve_weight_gradient(device, geometry, op.h, d_z, op.d_similarity_weight);
  run(device, {Product::Kind::hidden_gradient, geometry, op.h, op.similarity_weight, d_z, {}, {}, &op});
}

}  // namespace layerwise::cuda
