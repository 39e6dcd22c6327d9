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
    const DataGradientOperands<T> operands(device, geometry, d_y, weight, d_x.shape);
    ForwardEpilogue<T> epilogue{};
    if (d_x.type == d_y.type) {
      epilogue.output = d_x.as<T>();
      epilogue.vectors = has_vectors(epilogue.output, d_x.shape.c);
    } else {
      epilogue.wide_output = d_x.as<float>();
    }
    epilogue.rows = operands.a.rows;
    epilogue.columns = operands.b.columns;
    run_gemm<Inner::depth, Inner::extent>(device, operands.plan, typed, operands.a, Unchanged{}, operands.b, epilogue);
  });
}

}  // namespace layerwise::cuda
