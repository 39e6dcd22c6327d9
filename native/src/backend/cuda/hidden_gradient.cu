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
#include <type_traits>

#include "backend/cuda/device_code.h"
#include "backend/cuda/epilogue_launch.h"
#include "backend/cuda/gemm_tiles.cuh"
#include "backend/cuda/product.h"

namespace layerwise::cuda {

// What dropout multiplies the channels of each sample by: 0 or 1 / (1 − probability). (N, C) numbers, so
// that kernels over maps need not work out random words for every position.
//
// Threads: each takes the four words of one Philox counter. Where this process's first sample does not begin at a multiple
// of 4 of the sequence, neither do its elements.
// Bytes: 4 · N · C, written once. FLOPs: about 100 integer operations per four elements.
constexpr int dropout_factor_threads = 128;

__global__ void __launch_bounds__(dropout_factor_threads)
    dropout_factors_kernel(float* factors, int64_t count, int64_t channels, const StepState* step, uint32_t stream,
                           uint32_t threshold, float kept) {
  begin_kernel();
  const int64_t before = step->first_sample * channels;
  const int64_t index = before / 4 + blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  const int64_t begin = 4 * index - before;  // −3 at least
  if (begin >= count) return;
  const RandomKey key{step->seed, RandomPurpose::dropout, stream, step->step};
  const PhiloxWords words = random_words(key, static_cast<uint64_t>(index));
  LAYERWISE_UNROLL
  for (int i = 0; i < 4; ++i)
    if (begin + i >= 0 && begin + i < count) factors[begin + i] = words.word[i] < threshold ? 0.0f : kept;
}

/// The gradient where h has no similarity branch. Blocks take parts of g as the GEMM's do.
template <class T, bool fours>
__global__ void __launch_bounds__(SmallTile::threads)
    hidden_gradient_kernel(HiddenEpilogue<T> epilogue, int column_tiles) {
  begin_kernel();
  const int block = static_cast<int>(blockIdx.x);
  epilogue.template finish<SmallTile, fours, false>(nullptr, block / column_tiles * SmallTile::rows,
                                             block % column_tiles * SmallTile::columns, 0);
}

ArenaTensor dropout_factors(const Device& device, const HiddenGradient& op) {
  if (!op.d_output || op.dropout.probability == 0) return {};
  ArenaTensor factors = device.arena.take(DataType::float32, Shape::matrix(op.h.shape.n, op.h.shape.c));
  const int64_t count = factors.view().shape.elements();
  LAYERWISE_LAUNCH(dropout_factors_kernel, blocks_for(count + 3, 4 * dropout_factor_threads), dropout_factor_threads, 0,
                   device.stream, factors.view().as<float>(), count, op.h.shape.c, device.step, op.dropout.stream,
                   dropout_threshold(op.dropout.probability), static_cast<float>(1 / (1 - op.dropout.probability)));
  return factors;
}

void fused::hidden_gradient(Device& device, const HiddenGradient& op, const Tensor& d_z) {
  with_storage(op.h.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const bool fours = maps_have_fours<T>(op);
    if (!op.similarity_weight) {
      with_hidden_epilogue<T>(device, op, RowsInOrder{}, WarpColumns<SmallTile>::rows, [&](const auto& epilogue) {
        const unsigned column_tiles = blocks_for(epilogue.channels, SmallTile::columns);
        const unsigned blocks = blocks_for(epilogue.rows, SmallTile::rows) * column_tiles;
        const auto launch = [&](auto aligned) {
          LAYERWISE_LAUNCH((hidden_gradient_kernel<T, decltype(aligned)::value>), blocks, SmallTile::threads, 0,
                           device.stream, epilogue, static_cast<int>(column_tiles));
        };
        fours ? launch(std::true_type{}) : launch(std::false_type{});
      });
      return;
    }
    const DataGradientOperands<T> operands(device, op.similarity_convolution, d_z, op.similarity_weight, op.h.shape,
                                           fours);
    with_hidden_epilogue<T>(device, op, RowsInOrder{}, operands.plan.moment_rows, [&](const auto& epilogue) {
      run_gemm<Inner::depth, Inner::extent>(device, operands.plan, typed, operands.a, operands.b, epilogue);
    });
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
