// Which implicit GEMM runs for given operands: tile, arithmetic, pieces of the sum. All of it follows from
// shapes, alignment and the number of multiprocessors, so that a device gives the same bits every time.
#pragma once

#include <algorithm>

#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/implicit_gemm.cuh"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

struct GemmPlan {
  bool vectors;           // both operands have aligned chunks of 16 bytes
  bool large;             // LargeTile or LargeScalarTile, otherwise SmallTile
  bool tensor_float32;
  int64_t row_tiles, column_tiles, depth_tiles;
  int64_t depth_tiles_per_piece;
  int pieces;             // of the sum, to be added up afterwards
  int moment_rows;        // of a group of rows whose moments are taken together: ColumnGroup<Block>::rows
};

/// `pieces`: whether the sum may be divided.
template <class T>
GemmPlan plan_gemm(const Device& device, int64_t rows, int64_t columns, int64_t depth, bool vectors, bool pieces) {
  constexpr int64_t fewest_tiles = 8;  // of the sum in one piece: filling the pipeline takes three
  const auto tiles = [](int64_t extent, int64_t tile) { return (extent + tile - 1) / tile; };
  GemmPlan plan{};
  plan.vectors = vectors;
  plan.tensor_float32 = vectors && device.tensor_float32 && std::is_same_v<T, float>;
  plan.depth_tiles = tiles(depth, Bfloat16Product<SmallTile>::depth * 2 / static_cast<int64_t>(sizeof(T)));
  const int64_t most_pieces = pieces ? std::max<int64_t>(1, plan.depth_tiles / fewest_tiles) : 1;
  const int64_t large_tiles = tiles(rows, LargeTile::rows) * tiles(columns, LargeTile::columns);
  // Half of a large tile would be wasted, or multiprocessors would have nothing to do.
  plan.large = vectors && rows > SmallTile::rows && columns > SmallTile::columns &&
               large_tiles * most_pieces >= device.multiprocessors;
  plan.row_tiles = tiles(rows, plan.large ? LargeTile::rows : SmallTile::rows);
  plan.column_tiles = tiles(columns, plan.large ? LargeTile::columns : SmallTile::columns);
  const bool scalar = std::is_same_v<T, float> && !plan.tensor_float32;
  plan.moment_rows = !plan.large ? ColumnGroup<SmallTile>::rows
                     : scalar    ? ColumnGroup<LargeScalarTile>::rows
                                 : ColumnGroup<LargeTile>::rows;
  // As many blocks as are resident at once.
  const int64_t resident = int64_t{device.multiprocessors} * (!plan.large ? 3 : scalar ? 1 : 2);
  const int64_t wanted = std::clamp<int64_t>(resident / (plan.row_tiles * plan.column_tiles), 1, most_pieces);
  plan.depth_tiles_per_piece = tiles(plan.depth_tiles, wanted);
  plan.pieces = static_cast<int>(tiles(plan.depth_tiles, plan.depth_tiles_per_piece));
  return plan;
}

/// A whole number of aligned 16-byte chunks in each row of `width` elements from `data` on.
template <class T>
bool has_vectors(const T* data, int64_t width) {
  return width % vector_elements<T> == 0 && reinterpret_cast<uintptr_t>(data) % sizeof(Vector16) == 0;
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

/// C = Σ prologue(A) · B under the epilogue.
template <Inner inner_a, Inner inner_b, class T, class SourceA, class Prologue, class SourceB, class Epilogue>
void run_gemm(const Device& device, const GemmPlan& plan, const T*, const SourceA& a, const Prologue& prologue,
              const SourceB& b, const Epilogue& epilogue) {
  const auto run = [&](auto* kind) {
    using Gemm = std::remove_pointer_t<decltype(kind)>;
    launch_gemm<Gemm>(device, plan, {a, prologue, b, epilogue, static_cast<int>(plan.column_tiles),
                                     static_cast<int>(plan.depth_tiles), static_cast<int>(plan.depth_tiles_per_piece)});
  };
  using Chunks = Layout<inner_a, inner_b, Prologue::is_identity, true>;
  using Elements = Layout<inner_a, inner_b, false, false>;
  constexpr bool is_float = std::is_same_v<T, float>;
  using SmallProduct = std::conditional_t<is_float, Float32Product<SmallTile>, Bfloat16Product<SmallTile>>;
  using LargeProduct = std::conditional_t<is_float, Float32Product<LargeScalarTile>, Bfloat16Product<LargeTile>>;
  const auto run_chunks = [&](auto* product) {
    using Product = std::remove_pointer_t<decltype(product)>;
    run(static_cast<ImplicitGemm<Product, Chunks, SourceA, Prologue, SourceB, Epilogue>*>(nullptr));
  };
  if (!plan.vectors)
    return run(static_cast<ImplicitGemm<SmallProduct, Elements, SourceA, Prologue, SourceB, Epilogue>*>(
        nullptr));
  if constexpr (is_float) {
    if (plan.tensor_float32 && plan.large)
      return run_chunks(static_cast<TensorFloat32Product<LargeTile>*>(nullptr));
    if (plan.tensor_float32) return run_chunks(static_cast<TensorFloat32Product<SmallTile>*>(nullptr));
  }
  if (plan.large) return run_chunks(static_cast<LargeProduct*>(nullptr));
  return run_chunks(static_cast<SmallProduct*>(nullptr));
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
MatrixRows<T> matrix_rows(const T* data, int64_t rows, int64_t columns, int64_t positions) {
  return {data, has_vectors(data, columns), as_int(rows), as_int(columns), Divisor(positions)};
}

/// Both operands of a data gradient: d_y gathered for each position of x, and the weights by tap.
template <class T>
struct DataGradientOperands {
  DataGradientOperands(const Device& device, const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                       const Shape& x)
      : a(patches<true>(geometry, static_cast<const T*>(d_y.as<T>()), d_y.shape, x)) {
    const int64_t taps = geometry.kernel_height * geometry.kernel_width;
    b.data = weight.as<T>();
    b.vectors = has_vectors(b.data, x.c);
    b.rows = as_int(taps * d_y.shape.c);
    b.columns = as_int(x.c);
    b.taps = static_cast<int>(taps);
    b.by_out_channels = Divisor(d_y.shape.c);
    plan = plan_gemm<T>(device, a.rows, b.columns, b.rows, a.vectors && b.vectors, false);
  }

  Patches<T, true> a;
  WeightsByTap<T> b{};
  GemmPlan plan;
};

}  // namespace layerwise::cuda
