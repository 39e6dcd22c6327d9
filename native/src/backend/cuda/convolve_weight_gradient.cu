// Threads, bytes and FLOPs: implicit_gemm.cuh, with M = O, N = KH · KW · I and K = N · positions. The long
// sum over positions is divided over as many blocks as a device holds at once; their results, in float32,
// are added up in a fixed order (sums.cuh).
#include "backend/cuda/convolution.h"
#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/implicit_gemm_launch.h"
#include "backend/cuda/sums.h"

namespace layerwise::cuda {

void fused::convolve_weight_gradient(Device& device, const Convolution& geometry, const Tensor& x,
                                     const OutputGradient& d_y, const Tensor& d_weight) {
  const Shape& y = d_y.values.shape;
  const int64_t positions = y.n * y.positions(), columns = d_weight.shape.features();
  with_storage(x.type, [&](auto* typed) {
    using T = std::remove_pointer_t<decltype(typed)>;
    auto a = matrix_rows<T>(d_y.values.as<T>(), positions, y.c, y.positions());
    if (d_y.second) a.vectors = a.vectors && has_vectors<T>(d_y.second.as<T>(), y.c);
    const auto b = patches<false>(geometry, static_cast<const T*>(x.as<T>()), x.shape, y);
    const GemmPlan plan = plan_gemm<T>(device, y.c, columns, positions, a.vectors && b.vectors, true);

    ArenaTensor pieces;
    if (plan.pieces > 1) pieces = device.arena.take(DataType::float32, {plan.pieces, 1, y.c, columns});
    float* const output = plan.pieces > 1 ? pieces.view().as<float>() : d_weight.as<float>();
    const PartialEpilogue epilogue{output, as_int(y.c), as_int(columns)};
    const auto* const coefficients = static_cast<const float*>(d_y.coefficients.data);
    const auto run = [&](const auto& prologue) {
      run_gemm<Inner::extent, Inner::extent>(device, plan, typed, a, prologue, b, epilogue);
    };
    switch (d_y.kind) {
      case OutputGradient::Kind::stored: run(Unchanged{}); break;
      case OutputGradient::Kind::deviation: run(DeviationPrologue{coefficients, as_int(y.c)}); break;
      case OutputGradient::Kind::batch_norm:
        run(BatchNormPrologue<T>{coefficients, d_y.second.as<T>()});
        break;
    }
    if (plan.pieces > 1) sum_pieces(device, d_weight, pieces, plan.pieces);
  });
}

}  // namespace layerwise::cuda
