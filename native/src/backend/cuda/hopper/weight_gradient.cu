#include <algorithm>

#include "backend/cuda/epilogue_launch.h"
#include "backend/cuda/hopper/hopper.h"
#include "backend/cuda/hopper/hopper_plan.h"
#include "backend/cuda/hopper/weight_product.cuh"

namespace layerwise::cuda {

__global__ void __launch_bounds__(hopper_threads, 1) hopper_weight_product_kernel(WeightProduct::Arguments a) {
  begin_kernel();
#ifdef LAYERWISE_HAS_WARPGROUPS
  LAYERWISE_SHARED(uint64_t, barriers, [2 * WeightProduct::most_slots]);
  LAYERWISE_DYNAMIC_SHARED(unsigned char, slots);
  const Ring ring(barriers, a.slots);
  if (threadIdx.x == 0) {
    ring.begin(warpgroup_threads / 32);
    fence_barrier_init();
  }
  __syncthreads();
  const int warpgroup = static_cast<int>(threadIdx.x) / warpgroup_threads;
  if (warpgroup == 0) {
    release_registers<WeightProduct::Registers::filling>();
    fill_chunks(a, ring, slots);
  } else {
    claim_registers<WeightProduct::Registers::multiplying>();
    unsigned char* const staging = slots + WeightProduct::room + (warpgroup - 1) * WeightProduct::staging_bytes;
    multiply_chunks(a, ring, slots, reinterpret_cast<float*>(staging));
  }
#endif
}

void hopper::convolve_weight_gradient(Device& device, const Convolution&, const Tensor& x, const Tensor& d_y,
                                      const Tensor& d_weight) {
  const int64_t in = x.shape.c, out = d_y.shape.c;
  const LineChunks chunks(d_y.shape);
  const WeightPlan plan = plan_weight_product(out, in, chunks.chunks(), LineChunks::positions, device.multiprocessors);
  WeightProduct::Arguments a{};
  a.chunks = chunks;
  a.map = x.as<Bfloat16>();
  a.gradient = d_y.as<Bfloat16>();
  a.in_channels = as_int(in);
  a.out_channels = as_int(out);
  a.in_tiles = static_cast<int>((in + WeightProduct::columns - 1) / WeightProduct::columns);
  a.tiles = static_cast<int>(plan.tiles);
  a.pieces = static_cast<int>(plan.pieces);
  a.chunks_of_piece = static_cast<int>(plan.chunks_of_piece);
  a.map_plane_bytes = plane_length(chunks.staged_places(), WeightProduct::planes) * place_bytes;
  a.slot_bytes = WeightProduct::planes * (WeightProduct::gradient_plane_bytes + a.map_plane_bytes);
  a.slots = std::min(WeightProduct::most_slots, WeightProduct::room / a.slot_bytes);
  with_weight_pieces(device, d_weight, plan.pieces, true, [&](float* output) {
    a.output = output;
    const unsigned blocks = persistent_blocks(device, hopper_weight_product_kernel, plan.tiles * plan.pieces,
                                              WeightProduct::shared_bytes);
    LAYERWISE_LAUNCH(hopper_weight_product_kernel, blocks, hopper_threads, WeightProduct::shared_bytes, device.stream, a);
  });
}

}  // namespace layerwise::cuda
