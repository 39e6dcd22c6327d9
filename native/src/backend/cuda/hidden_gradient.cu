// Where dz is affine in z it is written over z first. Then the weight gradient of the similarity branch, and its data
// gradient with all the rest as its epilogue (hidden_gradient.cuh). Bytes: z twice for dz, dz and h for the weight
// gradient, dz, h, y and g for the data gradient. FLOPs: 4 · N · positions · C² · KH · KW.
#include "backend/cuda/hidden_gradient.cuh"

#include <algorithm>
#include <initializer_list>
#include <type_traits>

#include "backend/cuda/dropout_factors.cuh"
#include "backend/cuda/implicit_gemm_launch.h"
#include "backend/cuda/product.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

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
