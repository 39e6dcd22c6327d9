// Threads, bytes and FLOPs: implicit_gemm.cuh, with M = N · H · W, N = I and K = KH · KW · O. (Of a stride's
// square only one part of the products is not zero; strided data gradients exist under backprop only.)
#include "backend/cuda/convolution.h"
#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/implicit_gemm_launch.h"

namespace layerwise::cuda {

void fused::convolve_data_gradient(Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                                   const Tensor& d_x) {
  with_storage(d_y.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    with_output<T>(d_x, [&](auto* output) {
      const DataGradientOperands<T> operands(device, geometry, d_y, weight, d_x.shape,
                                             has_fours(output, d_x.shape.c));
      const ForwardEpilogue<std::remove_pointer_t<decltype(output)>> epilogue{output, operands.a.rows,
                                                                              operands.b.columns, nullptr, {}, {}};
      run_gemm<Inner::depth, Inner::extent>(device, operands.plan, typed, operands.a, operands.b, epilogue);
    });
  });
}

}  // namespace layerwise::cuda
