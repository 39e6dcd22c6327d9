// C[M, N] = Σ_k A[M, k] · B[k, N], the operands being gathered from activations and weights while they are
// loaded: the main loop of every convolution and its gradients.
//
// Threads: a block takes Block::rows × Block::columns of C (blockIdx.x, neighbours along N, so that they
// find the same rows of A in the L2 cache) and the piece blockIdx.z of the sum over k; its warps divide C
// as gemm_arithmetic.cuh says. Tiles of A and B pass through `stages` buffers in shared memory: while one is
// multiplied, the next ones are on their way (operand_loaders.cuh). At the end the block's part of C lies in
// shared memory as float32, in place of the tiles, and the epilogue does with it what the operation wants.
//
// FLOPs: 2 · M · N · K. Bytes: each operand and C once, as the operation's own header says.
// Floor on an H100: max(FLOPs / 790 TFLOP/s for bf16, bytes / 3.0 TB/s).
#pragma once

#include <type_traits>

#include "backend/cuda/gemm_arithmetic.cuh"
#include "backend/cuda/operand_loaders.cuh"

namespace layerwise::cuda {

/// How the two operands are laid out, and whether they have aligned chunks of 16 bytes.
template <Inner a, Inner b, bool vectors_a_, bool vectors_b_>
struct Layout {
  static constexpr Inner inner_a = a, inner_b = b;
  static constexpr bool vectors_a = vectors_a_, vectors_b = vectors_b_;
};

/// One kind of implicit GEMM. The epilogue is called as
/// epilogue.template finish<Block, fours>(part of C in shared memory, first row, first column, piece of the sum), `fours`
/// saying whether what it reads and writes has aligned fours of neighbours (epilogues.cuh).
template <class Product_, class Layout_, class SourceA, class SourceB, class Epilogue>
struct ImplicitGemm {
  using Product = Product_;
  using Block = typename Product::Block;
  using T = typename Product::T;
  using TileA = SharedTile<T, Layout_::inner_a, Block::rows, Product::depth>;
  using TileB = SharedTile<T, Layout_::inner_b, Block::columns, Product::depth>;
  template <bool vectors, class Source, class Tile>
  using Loader = std::conditional_t<vectors, AsyncLoader<T, Source, Tile, Block::threads>,
                                    ElementLoader<T, Source, Tile, Block::threads>>;
  using LoaderA = Loader<Layout_::vectors_a, SourceA, TileA>;
  using LoaderB = Loader<Layout_::vectors_b, SourceB, TileB>;

  static constexpr bool fours = Layout_::vectors_a && Layout_::vectors_b;

  static constexpr int stages = 4;
  static constexpr int stage_bytes = TileA::bytes + TileB::bytes;
  static constexpr int shared_bytes =
      stages * stage_bytes > Block::accumulator_bytes ? stages * stage_bytes : Block::accumulator_bytes;
  // What the registers that a thread needs leave room for: 255 of them in one block of 256 threads or in two of 128, 168
  // in three, 128 in four.
  static constexpr int blocks_per_multiprocessor =
      Block::threads == 256 ? 1 : Block::rows == LargeTile::rows ? 2 : Layout_::vectors_b && sizeof(T) == 2 ? 4 : 3;

  struct Arguments {
    SourceA a;
    SourceB b;
    Epilogue epilogue;
    int column_tiles;           // blocks along N
    int depth_tiles;            // tiles of the whole sum, Product::depth terms each
    int depth_tiles_per_piece;
  };
};

template <class Gemm>
__global__ void __launch_bounds__(Gemm::Block::threads, Gemm::blocks_per_multiprocessor)
    implicit_gemm_kernel(typename Gemm::Arguments arguments) {
  begin_kernel();
  using T = typename Gemm::T;
  constexpr int depth = Gemm::Product::depth, stages = Gemm::stages;
  LAYERWISE_DYNAMIC_SHARED(unsigned char, shared);
  const auto tile_a = [shared](int tile) {
    return reinterpret_cast<T*>(shared + tile % stages * Gemm::stage_bytes);
  };
  const auto tile_b = [shared](int tile) {
    return reinterpret_cast<T*>(shared + tile % stages * Gemm::stage_bytes + Gemm::TileA::bytes);
  };

  const int block = static_cast<int>(blockIdx.x), piece = static_cast<int>(blockIdx.z);
  const int first_row = block / arguments.column_tiles * Gemm::Block::rows;
  const int first_column = block % arguments.column_tiles * Gemm::Block::columns;
  const int first_tile = piece * arguments.depth_tiles_per_piece;
  const int tiles = min(arguments.depth_tiles_per_piece, arguments.depth_tiles - first_tile);

  typename Gemm::LoaderA a(arguments.a, first_row);
  typename Gemm::LoaderB b(arguments.b, first_column);
  const auto fetch = [&](int tile) {
    a.fetch((first_tile + tile) * depth, tile_a(tile));
    b.fetch((first_tile + tile) * depth, tile_b(tile));
  };
  const auto store = [&](int tile) {
    a.store(tile_a(tile));
    b.store(tile_b(tile));
  };

  for (int tile = 0; tile < stages - 1; ++tile) {
    if (tile < tiles) {
      fetch(tile);
      store(tile);
    }
    copy_async_commit();
  }

  typename Gemm::Product product;
  for (int tile = 0; tile < tiles; ++tile) {
    copy_async_wait<stages - 2>();
    __syncthreads();  // this tile is there for all, and nobody reads the one before it any more
    const int ahead = tile + stages - 1;
    if (ahead < tiles) fetch(ahead);
    copy_async_commit();
    product.template accumulate<typename Gemm::TileA, typename Gemm::TileB>(tile_a(tile), tile_b(tile));
    if (ahead < tiles) store(ahead);
  }
  copy_async_wait<0>();
  __syncthreads();

  float* const sums = reinterpret_cast<float*>(shared);
  product.template store<typename Gemm::TileA, typename Gemm::TileB>(sums);
  __syncthreads();
  arguments.epilogue.template finish<typename Gemm::Block, Gemm::fours>(sums, first_row, first_column, piece);
}

}  // namespace layerwise::cuda
