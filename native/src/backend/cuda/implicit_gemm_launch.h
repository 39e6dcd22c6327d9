// Launches the implicit GEMM that a plan (gemm_plan.h) asks for.
#pragma once

#include "backend/cuda/gemm_plan.h"
#include "backend/cuda/implicit_gemm.cuh"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

/// A whole number of aligned 16-byte chunks in each row of `width` elements from `data` on.
template <class T>
bool has_vectors(const T* data, int64_t width) {
  return width % vector_elements<T> == 0 && reinterpret_cast<uintptr_t>(data) % sizeof(Vector16) == 0;
}

/// Four neighbours from a multiple of four on, in rows of `width` elements from `data` on, lie at an aligned address.
/// There may be no data: null.
template <class T>
bool has_fours(const T* data, int64_t width) {
  return width % 4 == 0 && reinterpret_cast<uintptr_t>(data) % (4 * sizeof(T)) == 0;
}

/// What the kernels count in int.
inline int as_int(int64_t count) {
  if (count >= nowhere)
    fail(ErrorKind::invalid_argument, "a convolution over ", count, " positions is larger than the CUDA backend can",
         " do; use a smaller batch");
  return static_cast<int>(count);
}

/// Percent of a multiprocessor's shared memory, `all` bytes, that so many blocks with `each` take. The rest serves as
/// cache. Where nothing is asked for, CUDA decides, and need not leave room for more than one block.
constexpr int shared_memory_carveout(int blocks, int each, int all) {
  constexpr int reserved = 1024;  // per block, by CUDA
  const int64_t wanted = int64_t{blocks} * (each + reserved);
  return wanted >= all ? 100 : static_cast<int>((100 * wanted + all - 1) / all);
}

template <class Gemm>
void launch_gemm(const Device& device, const GemmPlan& plan, const typename Gemm::Arguments& arguments) {
  if (Gemm::shared_bytes > 48 << 10)
    check(cudaFuncSetAttribute(implicit_gemm_kernel<Gemm>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               Gemm::shared_bytes),
          "reserving shared memory for a matrix product");
  check(cudaFuncSetAttribute(implicit_gemm_kernel<Gemm>, cudaFuncAttributePreferredSharedMemoryCarveout,
                             shared_memory_carveout(Gemm::blocks_per_multiprocessor, Gemm::shared_bytes,
                                                    device.shared_bytes)),
        "reserving shared memory for a matrix product");
  const dim3 grid(static_cast<unsigned>(plan.row_tiles * plan.column_tiles), 1, static_cast<unsigned>(plan.pieces));
  LAYERWISE_LAUNCH(implicit_gemm_kernel<Gemm>, grid, Gemm::Block::threads, Gemm::shared_bytes, device.stream,
                   arguments);
}

/// C = Σ A · B under the epilogue.
template <Inner inner_a, Inner inner_b, class T, class SourceA, class SourceB, class Epilogue>
void run_gemm(const Device& device, const GemmPlan& plan, const T*, const SourceA& a, const SourceB& b,
              const Epilogue& epilogue) {
  const auto run = [&](auto* product, auto vectors_a, auto vectors_b) {
    using Product = std::remove_pointer_t<decltype(product)>;
    using Operands = Layout<inner_a, inner_b, decltype(vectors_a)::value, decltype(vectors_b)::value>;
    launch_gemm<ImplicitGemm<Product, Operands, SourceA, SourceB, Epilogue>>(
        device, plan,
        {a, b, epilogue, static_cast<int>(plan.column_tiles), static_cast<int>(plan.depth_tiles),
         static_cast<int>(plan.depth_tiles_per_piece)});
  };
  constexpr std::true_type vectors;
  constexpr std::false_type elements;
  constexpr bool is_float = std::is_same_v<T, float>;
  using SmallProduct = std::conditional_t<is_float, Float32Product<SmallTile>, Bfloat16Product<SmallTile>>;
  using LargeProduct = std::conditional_t<is_float, Float32Product<LargeScalarTile>, Bfloat16Product<LargeTile>>;
  constexpr SmallProduct* small = nullptr;
  if (!plan.vectors_b) {
    if constexpr (inner_a == Inner::extent)  // the weight gradient: d_y has vectors where an image of three channels has none
      if (plan.vectors_a) return run(small, vectors, elements);
    return run(small, elements, elements);
  }
  if constexpr (is_float) {
    if (plan.tensor_float32 && plan.tile == TileSize::large) return run(static_cast<TensorFloat32Product<LargeTile>*>(nullptr), vectors, vectors);
    if (plan.tensor_float32) return run(static_cast<TensorFloat32Product<SmallTile>*>(nullptr), vectors, vectors);
  }
  if constexpr (!is_float)
    if (plan.tile == TileSize::tall) return run(static_cast<Bfloat16Product<TallTile>*>(nullptr), vectors, vectors);
  if (plan.tile == TileSize::large) return run(static_cast<LargeProduct*>(nullptr), vectors, vectors);
  run(small, vectors, vectors);
}

/// Where the columns of a convolution's kernel lie, for each position of the map that is written.
template <bool transposed, class T>
Patches<T, transposed> patches(const Convolution& geometry, const T* data, const Shape& read, const Shape& written) {
  Patches<T, transposed> source{};
  source.data = data;
  source.vectors = has_vectors(data, read.c);
  source.rows = as_int(written.n * written.positions());
  source.columns = as_int(geometry.kernel_height * geometry.kernel_width * read.c);
  source.height = static_cast<int>(read.h);
  source.width = static_cast<int>(read.w);
  source.channels = static_cast<int>(read.c);
  source.stride = static_cast<int>(geometry.stride);
  source.padding = static_cast<int>(geometry.padding);
  source.row_area = Divisor(written.positions());
  source.row_width = Divisor(written.w);
  source.by_channels = Divisor(read.c);
  source.by_kernel_width = Divisor(geometry.kernel_width);
  source.by_stride = Divisor(geometry.stride);
  return source;
}

template <class T>
MatrixRows<T> matrix_rows(const T* data, int64_t rows, int64_t columns) {
  return {data, has_vectors(data, columns), as_int(rows), as_int(columns)};
}

/// Calls body with the address of an output that is of the operands' type T, or float32 for further arithmetic.
template <class T, class Body>
void with_output(const Tensor& output, const Body& body) {
  if constexpr (!std::is_same_v<T, float>)
    if (output.type == DataType::float32) return body(output.as<float>());
  body(output.as<T>());
}

/// A product of operands of T, as plan_gemm takes it.
template <class T, class SourceA, class SourceB>
GemmProblem gemm_problem(const Device& device, const SourceA& a, const SourceB& b, int64_t rows, int64_t columns,
                         int64_t depth, bool fours) {
  GemmProblem problem{};
  problem.rows = rows;
  problem.columns = columns;
  problem.depth = depth;
  problem.element_bytes = static_cast<int>(sizeof(T));
  problem.vectors_a = a.vectors;
  problem.vectors_b = b.vectors;
  problem.fours = fours;
  problem.tensor_float32 = device.tensor_float32;
  problem.shared_bytes = device.shared_bytes;
  return problem;
}

/// Both operands of a data gradient: d_y gathered for each position of x, and the weights by tap.
template <class T>
struct DataGradientOperands {
  /// `fours`: see GemmProblem.
  DataGradientOperands(const Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                       const Shape& x, bool fours)
      : a(patches<true>(geometry, static_cast<const T*>(d_y.as<T>()), d_y.shape, x)) {
    const int64_t taps = geometry.kernel_height * geometry.kernel_width;
    b.data = weight.as<T>();
    b.vectors = has_vectors(b.data, x.c);
    b.rows = as_int(taps * d_y.shape.c);
    b.columns = as_int(x.c);
    b.taps = static_cast<int>(taps);
    b.by_out_channels = Divisor(d_y.shape.c);
    plan = plan_gemm(gemm_problem<T>(device, a, b, a.rows, b.columns, b.rows, fours), device.multiprocessors);
  }

  Patches<T, true> a;
  WeightsByTap<T> b{};
  GemmPlan plan;
};

}  // namespace layerwise::cuda
