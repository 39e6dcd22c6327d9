#include "backend/cuda/convolution.h"
#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/implicit_gemm_launch.h"
#include "backend/cuda/merge_moments.h"

namespace layerwise::cuda {

namespace {

MomentPieceLayout piece_layout(ConvolutionForward::Moments kind, const Shape& y, int64_t rows_per_piece) {
  const bool per_sample = kind == ConvolutionForward::Moments::sample_channel;
  const int64_t samples = per_sample ? y.n : 1;
  const int64_t positions = y.n * y.positions() / samples;
  const int64_t slots = (positions + rows_per_piece - 1) / rows_per_piece + (samples > 1 ? 1 : 0);
  return {samples, slots, y.c, positions, rows_per_piece, false};
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

      const MomentPieceLayout layout = piece_layout(moments.kind, y.shape, plan.moment_rows);
      const ArenaTensor pieces = device.arena.take(DataType::float32, {layout.samples, layout.slots, y.shape.c, 2});
      epilogue.moments = {static_cast<float2*>(pieces.view().data), Divisor(layout.positions),
                          static_cast<int>(layout.slots)};
      run();
      merge_moments(device, layout, pieces, bias, moments.kind == ConvolutionForward::Moments::sample_channel,
                    moments.mean, moments.spread);
    });
  });
}

}  // namespace layerwise::cuda
