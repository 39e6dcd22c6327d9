#include "backend/cuda/convolution.h"
#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/implicit_gemm_launch.h"
#include "backend/cuda/moments.cuh"

namespace layerwise::cuda {

namespace {

/// Moments per channel are those of one sample that holds all positions of the batch.
struct MomentsPlan {
  int64_t samples, positions, slots;
};

MomentsPlan plan_moments(ConvolutionForward::Moments kind, const Shape& y, int64_t rows_per_piece) {
  const bool per_sample = kind == ConvolutionForward::Moments::sample_channel;
  const int64_t samples = per_sample ? y.n : 1;
  const int64_t positions = y.n * y.positions() / samples;
  return {samples, positions, (positions + rows_per_piece - 1) / rows_per_piece + (samples > 1 ? 1 : 0)};
}

void merge_moments(const Device& device, const MomentsPlan& plan, const GemmPlan& gemm, const Tensor& pieces,
                   const Tensor& bias, const OutputMoments& moments, int64_t channels) {
  int threads_per_channel = 4;
  while (threads_per_channel < plan.slots && threads_per_channel * merge_channels < most_merge_threads)
    threads_per_channel *= 2;
  MergeMomentsArguments arguments{};
  arguments.pieces = static_cast<const float2*>(pieces.data);
  arguments.channels = static_cast<int>(channels);
  arguments.slots = static_cast<int>(plan.slots);
  arguments.positions = static_cast<int>(plan.positions);
  arguments.rows_per_piece = gemm.moment_rows;
  arguments.bias = bias.as<float>();
  arguments.deviation = moments.kind == ConvolutionForward::Moments::sample_channel;
  arguments.mean = moments.mean.as<float>();
  arguments.spread = moments.spread.as<float>();
  const dim3 grid(blocks_for(channels, merge_channels), static_cast<unsigned>(plan.samples));
  LAYERWISE_LAUNCH(merge_moments_kernel, grid, threads_per_channel * merge_channels, 0, device.stream, arguments);
}

}  // namespace

void fused::convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight,
                     const Tensor& bias, const Tensor& y, const OutputMoments& moments) {
  const int64_t rows = y.shape.n * y.shape.positions(), depth = weight.shape.features();
  with_storage(x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    with_output<T>(y, [&](auto* output) {
      const auto a = patches<false>(geometry, static_cast<const T*>(x.as<T>()), x.shape, y.shape);
      const auto b = matrix_rows<T>(weight.as<T>(), y.shape.c, depth);
      const GemmPlan plan = plan_gemm(
          gemm_problem<T>(device, a, b, rows, y.shape.c, depth, has_fours(output, y.shape.c)), device.multiprocessors);
      ForwardEpilogue<std::remove_pointer_t<decltype(output)>> epilogue{output, as_int(rows), as_int(y.shape.c),
                                                                        bias.as<float>(), {}};
      const auto run = [&] { run_gemm<Inner::depth, Inner::depth>(device, plan, typed, a, b, epilogue); };
      if (moments.kind == ConvolutionForward::Moments::none) return run();

      const MomentsPlan pieces_of = plan_moments(moments.kind, y.shape, plan.moment_rows);
      const ArenaTensor pieces =
          device.arena.take(DataType::float32, {pieces_of.samples, pieces_of.slots, y.shape.c, 2});
      epilogue.moments = {static_cast<float2*>(pieces.view().data), Divisor(pieces_of.positions),
                          static_cast<int>(pieces_of.slots)};
      run();
      merge_moments(device, pieces_of, plan, pieces, bias, moments, y.shape.c);
    });
  });
}

}  // namespace layerwise::cuda
