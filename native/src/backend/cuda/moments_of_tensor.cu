#include "backend/cuda/moments_of_tensor.cuh"

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

namespace {

constexpr int64_t blocks_per_multiprocessor = 4;

}  // namespace

__global__ void __launch_bounds__(moments_merge_channels * moments_merge_lanes)
    merge_tile_moments_kernel(const float* partial, RowTiles tiles, MomentsOutput output) {
  begin_kernel();
  LAYERWISE_SHARED(Moments<double>, shared, [moments_merge_lanes][moments_merge_channels]);
  const int in_block = static_cast<int>(threadIdx.x) % moments_merge_channels;
  const int lane = static_cast<int>(threadIdx.x) / moments_merge_channels;
  const int64_t group = blockIdx.y;
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * moments_merge_channels + in_block;
  Moments<double> moments{0, 0, 0};
  if (channel < tiles.channels) {
    for (int64_t chunk = lane; chunk < tiles.chunks; chunk += moments_merge_lanes) {
      const float* const from = partial + (group * tiles.chunks + chunk) * 2 * tiles.channels + channel;
      const int64_t rows = min(tiles.rows_per_block, tiles.rows - chunk * tiles.rows_per_block);
      moments = merge<double>(moments, {static_cast<double>(rows), from[0], from[tiles.channels]});
    }
  }
  shared[lane][in_block] = moments;
  __syncthreads();
  if (lane != 0 || channel >= tiles.channels) return;
  for (int other = 1; other < moments_merge_lanes; ++other) moments = merge(moments, shared[other][in_block]);
  output.store(group * tiles.channels + channel, moments);
}

void moments_of_tensor(Device& device, const MomentsOfTensor& op) {
  if (op.moments == ConvolutionForward::Moments::none) return;
  const bool per_sample = op.moments == ConvolutionForward::Moments::sample_channel;
  const Shape& shape = op.x.shape;
  const int64_t groups = per_sample ? shape.n : 1;
  const int64_t rows = per_sample ? shape.positions() : shape.n * shape.positions();
  const MomentsOutput output{op.mean.as<float>(), op.spread.as<float>(), per_sample};
  with_storage(op.x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    with_width<T>(has_vector_rows<T>(shape.c, {op.x}), [&](auto width) {
      const RowTiles tiles = make_row_tiles(groups, rows, shape.c, width,
                                            device.multiprocessors * blocks_per_multiprocessor);
      ArenaTensor partial;
      if (tiles.chunks > 1) partial = device.arena.take(DataType::float32, {groups, tiles.chunks, 2, shape.c});
      LAYERWISE_LAUNCH((moments_kernel<T, decltype(width)::value>), row_tile_blocks(tiles, groups), row_tile_threads,
                       0, device.stream, op.x.as<T>(), tiles, partial.view().as<float>(), output);
      if (tiles.chunks > 1) {
        const dim3 grid(blocks_for(shape.c, moments_merge_channels), static_cast<unsigned>(groups));
        LAYERWISE_LAUNCH(merge_tile_moments_kernel, grid, moments_merge_channels * moments_merge_lanes, 0, device.stream,
                         partial.view().as<float>(), tiles, output);
      }
    });
  });
}

}  // namespace layerwise::cuda
