// Threads, bytes and FLOPs: implicit_gemm.cuh, with M = O, N = KH · KW · I and K = N · positions. The long
// sum over positions is divided over as many blocks as a device holds at once; their results, in float32,
// are added up in a fixed order (sums.cu).
#include "backend/cuda/convolution.h"
#include "backend/cuda/epilogue_launch.h"

namespace layerwise::cuda {

void fused::convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x,
                                     const Tensor& d_y, const Tensor& d_weight) {
  const Shape& y = d_y.shape;
  const int64_t positions = y.n * y.positions(), columns = d_weight.shape.features();
  with_storage(x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    const auto a = matrix_rows<T>(static_cast<const T*>(d_y.as<T>()), positions, y.c);
    const auto b = patches<false>(geometry, static_cast<const T*>(x.as<T>()), x.shape, y);
    GemmProblem problem = gemm_problem<T>(device, a, b, y.c, columns, positions, columns % 4 == 0);
    problem.may_divide = true;
    const GemmPlan plan = plan_gemm(problem, device.multiprocessors);

    with_weight_pieces(device, d_weight, plan.pieces, plan.vectors_b, [&](float* output) {
      const PartialEpilogue epilogue{output, as_int(y.c), as_int(columns)};
      run_gemm<Inner::extent, Inner::extent>(device, plan, typed, a, b, epilogue);
    });
  });
}

}  // namespace layerwise::cuda
