#include "backend/cuda/convolution.h"
#include "backend/cuda/epilogue_launch.h"
#include "backend/cuda/pad_channels.h"

namespace layerwise::cuda {

void fused::convolve(Device& device, const Convolution& geometry, const Tensor& x, const Tensor& weight,
                     const Tensor& bias, const Tensor& y, const OutputMoments& moments) {
  if (has_few_channels(x)) {
    const ArenaTensor padded_x = pad_channels(device, x), padded_weight = pad_channels(device, weight);
    return fused::convolve(device, geometry, padded_x, padded_weight, bias, y, moments);
  }
  const int64_t rows = y.shape.n * y.shape.positions(), depth = weight.shape.features();
  with_storage(x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    with_output<T>(y, [&](auto* output) {
      const auto a = patches<false>(geometry, static_cast<const T*>(x.as<T>()), x.shape, y.shape);
      const auto b = matrix_rows<T>(weight.as<T>(), y.shape.c, depth);
      const GemmPlan plan = plan_gemm(
          gemm_problem<T>(device, a, b, rows, y.shape.c, depth, has_fours(output, y.shape.c)), device.multiprocessors);
      ForwardEpilogue<std::remove_pointer_t<decltype(output)>> epilogue{output, as_int(rows), as_int(y.shape.c),
                                                                        bias.as<float>(), {}, {}};
      with_moments(device, moments, y.shape, bias, plan.moment_rows, epilogue,
                   [&] { run_gemm<Inner::depth, Inner::depth>(device, plan, typed, a, b, epilogue); });
    });
  });
}

}  // namespace layerwise::cuda
