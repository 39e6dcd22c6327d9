// sum ← Σ values², in double and in an order that follows from the count alone.
//
// Threads: each takes 16 bytes, 4 elements, and goes on in steps of the whole grid; neighbours in a warp take neighbours in
// memory. Sums of a block's threads are added up in a tree, and those of the blocks by the last block to arrive, likewise.
// Bytes: 4 · count. FLOPs: 2 · count. Floor on an H100: bytes / 3.0 TB/s.
#include "backend/cuda/device_code.h"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

constexpr int square_threads = 256;
constexpr int square_vector = 4;
constexpr int most_square_blocks = 1024;  // fill the largest device; the last block still adds up their sums at once

/// The sum over the block's threads, for thread 0.
__device__ __forceinline__ double sum_over_block(double own, double* sums) {
  const int thread = static_cast<int>(threadIdx.x);
  sums[thread] = own;
  for (int half = square_threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) sums[thread] += sums[thread + half];
  }
  return sums[thread];
}

__global__ void __launch_bounds__(square_threads)
    sum_of_squares_kernel(const float* values, int64_t count, double* of_blocks, float* sum, unsigned* ticket) {
  begin_kernel();
  LAYERWISE_SHARED(double, sums, [square_threads]);
  LAYERWISE_SHARED(bool, is_last, );
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * square_vector;
  double own = 0;
  for (int64_t begin = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) * square_vector; begin < count;
       begin += step) {
    if (begin + square_vector <= count) {
      float four[square_vector];
      load_elements(values + begin, four);
      for (int i = 0; i < square_vector; ++i) own += double{four[i]} * double{four[i]};
    } else {
      for (int64_t i = begin; i < count; ++i) own += double{values[i]} * double{values[i]};
    }
  }
  const double of_block = sum_over_block(own, sums);
  if (threadIdx.x == 0) {
    of_blocks[blockIdx.x] = of_block;
    __threadfence();
    is_last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  double of_some = 0;
  for (unsigned block = threadIdx.x; block < gridDim.x; block += square_threads) of_some += of_blocks[block];
  const double total = sum_over_block(of_some, sums);
  if (threadIdx.x == 0) *sum = static_cast<float>(total);
}

void sum_of_squares(Device& device, const SumOfSquares& op) {
  const int64_t count = op.values.shape.elements();
  const unsigned blocks = blocks_for(count, square_threads * square_vector, most_square_blocks);
  const ArenaTensor of_blocks = device.arena.take(DataType::float64, Shape::vector(blocks));
  LAYERWISE_LAUNCH(sum_of_squares_kernel, blocks, square_threads, 0, device.stream, op.values.as<float>(), count,
                   of_blocks.view().as<double>(), op.sum.as<float>(), device.ticket);
}

}  // namespace layerwise::cuda
