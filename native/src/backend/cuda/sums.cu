#include "backend/cuda/sums.h"

#include <type_traits>

#include "backend/cuda/sums.cuh"

namespace layerwise::cuda {

void sum_pieces(const Device& device, const Tensor& sum, const Tensor& pieces, int count) {
  const int64_t elements = sum.shape.elements();
  LAYERWISE_LAUNCH(sum_pieces_kernel, blocks_for(elements, sum_threads * sum_vector), sum_threads, 0, device.stream,
                   sum.as<float>(), static_cast<const float*>(pieces.as<float>()), count, elements);
}

void sum_pairs(const Device& device, const Tensor& pairs, int64_t rows, const Tensor& first, const Tensor& second,
               const Tensor& variance) {
  const int64_t channels = first.shape.elements();
  LAYERWISE_LAUNCH(sum_pairs_kernel, blocks_for(channels, pair_channels), sum_threads, 0, device.stream,
                   static_cast<const float2*>(pairs.data), static_cast<int>(rows), static_cast<int>(channels),
                   first.as<float>(), second.as<float>(), static_cast<const float*>(variance.as<float>()),
                   static_cast<float>(batch_norm_epsilon));
}

void sum_channels(const Device& device, const Tensor& values, const Tensor& sums) {
  const int64_t channels = values.shape.c, rows = values.shape.n * values.shape.positions();
  const unsigned row_blocks = blocks_for(rows, column_rows);
  const ArenaTensor pairs = device.arena.take(DataType::float32, {row_blocks, 1, channels, 2});
  with_storage(values.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    LAYERWISE_LAUNCH(sum_columns_kernel<T>, dim3(row_blocks, blocks_for(channels, sum_columns)), sum_threads, 0,
                     device.stream, static_cast<const T*>(values.as<T>()), static_cast<int>(rows),
                     static_cast<int>(channels), static_cast<float2*>(pairs.view().data));
  });
  sum_pairs(device, pairs, row_blocks, sums, {}, {});
}

}  // namespace layerwise::cuda
