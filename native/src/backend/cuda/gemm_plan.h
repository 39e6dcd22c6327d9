// Which tiles the implicit GEMM of a product takes, and into how many pieces it divides the sum. All of it follows from
// shapes, alignment and the number of multiprocessors, so that a device gives the same bits every time.
//
// What a plan costs is estimated in seconds on a card like an H100; only ratios matter. Blocks come in waves of as many
// as are resident at once, and a wave that is not full takes as long as one that is:
//   waves · (blocks on a multiprocessor · FLOPs of a block / rate of a multiprocessor + what a block begins and ends with)
//   + bytes of the pieces, written and read again, / bandwidth.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cuda/epilogues.cuh"
#include "backend/cuda/gemm_tiles.cuh"

namespace layerwise::cuda {

/// What is to be multiplied: C (rows × columns) = Σ over `depth`.
struct GemmProblem {
  int64_t rows, columns, depth;
  int element_bytes;        // of the operands: 4 or 2
  bool vectors_a, vectors_b;  // operands have aligned chunks of 16 bytes
  bool fours = true;        // what the epilogue reads and writes has aligned fours of neighbours
  bool tensor_float32 = false;
  bool may_divide = false;  // whether the sum may be divided into pieces
  int shared_bytes = 228 << 10;  // of a multiprocessor's shared memory
};

/// TallTile is for bfloat16 alone; large is LargeTile or LargeScalarTile.
enum class TileSize { small, large, tall };

struct GemmPlan {
  bool vectors_a, vectors_b;  // both: whole chunks, and fours in the epilogue
  TileSize tile;
  bool tensor_float32;
  int64_t row_tiles, column_tiles, depth_tiles;
  int64_t depth_tiles_per_piece;
  int pieces;                 // of the sum, to be added up afterwards
  int moment_rows;            // of a group of rows whose moments are taken together: WarpColumns<Block>::rows
  int resident;               // blocks of a multiprocessor

  int64_t blocks() const { return row_tiles * column_tiles * pieces; }
  /// The part of the multiprocessors' time in which they have as much to do as they can.
  double wave_efficiency(int multiprocessors) const {
    const int64_t slots = int64_t{multiprocessors} * resident, waves = (blocks() + slots - 1) / slots;
    return static_cast<double>(blocks()) / static_cast<double>(waves * slots);
  }
};

/// What a multiprocessor must have for a block of TallTile: its accumulators, and what CUDA reserves.
constexpr int tall_shared_bytes = TallTile::accumulator_bytes + 1024;

/// A way to cut C into tiles, and how fast a multiprocessor is then.
struct TileKind {
  int rows, columns, moment_rows;
  int resident;
  double rate, rate_alone;  // FLOP/s with `resident` blocks, and with one
  double fixed_seconds;     // of a block: to fill the pipeline, and for the epilogue
};

template <class Block>
constexpr TileKind tile_kind(int resident, double rate, double rate_alone, double fixed_seconds) {
  return {Block::rows, Block::columns, WarpColumns<Block>::rows, resident, rate, rate_alone, fixed_seconds};
}

constexpr int64_t divided(int64_t extent, int64_t by) { return (extent + by - 1) / by; }

/// A sum in pieces of so many terms each, of which the last one may have fewer.
struct Division {
  int64_t terms, pieces;
  double seconds;
};

/// The division of a sum into at most `most_pieces` that takes least time, the fewest of equals. seconds(terms, pieces) is
/// what one takes.
template <class Seconds>
Division cheapest_division(int64_t all_terms, int64_t most_pieces, const Seconds& seconds) {
  Division best{};
  for (int64_t wanted = 1; wanted <= most_pieces; ++wanted) {
    const int64_t terms = divided(all_terms, wanted), pieces = divided(all_terms, terms);
    if (pieces < wanted) continue;  // fewer pieces of the same size came before
    const double its_seconds = seconds(terms, pieces);
    if (wanted == 1 || its_seconds < best.seconds) best = {terms, pieces, its_seconds};
  }
  return best;
}

/// The division of the sum that takes least time by the estimate above, with tiles of that kind.
inline GemmPlan plan_pieces(const GemmProblem& problem, const TileKind& kind, int multiprocessors, double& seconds) {
  constexpr double bytes_per_second = 3.0e12;
  constexpr int64_t fewest_tiles = 8;  // of the sum in one piece: filling the pipeline takes three
  const int64_t tile_depth = 64 / problem.element_bytes;
  GemmPlan plan{};
  plan.row_tiles = divided(problem.rows, kind.rows);
  plan.column_tiles = divided(problem.columns, kind.columns);
  plan.depth_tiles = divided(problem.depth, tile_depth);
  plan.moment_rows = kind.moment_rows;
  plan.resident = kind.resident;
  const int64_t tiles = plan.row_tiles * plan.column_tiles;
  const int64_t slots = int64_t{multiprocessors} * kind.resident;
  // More pieces than fill four waves gain nothing that their sums do not cost.
  const int64_t most_pieces =
      problem.may_divide ? std::clamp<int64_t>(std::min(plan.depth_tiles / fewest_tiles, 4 * slots / tiles), 1, 65535) : 1;
  const auto estimate = [&](int64_t depth, int64_t pieces) {
    const int64_t blocks = tiles * pieces, waves = divided(blocks, slots);
    const auto side_by_side =
        static_cast<double>(std::min<int64_t>(kind.resident, divided(blocks, multiprocessors)));
    const double rate = kind.resident == 1 ? kind.rate
                                           : kind.rate_alone + (kind.rate - kind.rate_alone) * (side_by_side - 1) /
                                                                   (kind.resident - 1);
    const double block_flops = 2.0 * kind.rows * kind.columns * static_cast<double>(depth * tile_depth);
    const double sum_bytes = pieces == 1 ? 0 : 8.0 * static_cast<double>(pieces * problem.rows * problem.columns);
    return static_cast<double>(waves) * (side_by_side * block_flops / rate + kind.fixed_seconds) +
           sum_bytes / bytes_per_second;
  };
  const Division division = cheapest_division(plan.depth_tiles, most_pieces, estimate);
  plan.depth_tiles_per_piece = division.terms;
  plan.pieces = static_cast<int>(division.pieces);
  seconds = division.seconds;
  return plan;
}

inline GemmPlan plan_gemm(const GemmProblem& problem, int multiprocessors) {
  // Estimates. On tensor cores the L2 cache is the limit, 5.5 TB/s over 132 multiprocessors: tall tiles do 85 FLOP for a
  // byte of bfloat16, large ones 64, small ones 32; float32 has half of that. FFMA does 60 TFLOP/s. Nothing hides how a tall
  // tile begins and ends, since it has its multiprocessor for itself.
  constexpr TileKind bfloat16_tall = tile_kind<TallTile>(1, 3.4e12, 3.4e12, 4e-6);
  constexpr TileKind bfloat16_large = tile_kind<LargeTile>(2, 2.6e12, 1.9e12, 3e-6);
  constexpr TileKind bfloat16_small = tile_kind<SmallTile>(4, 1.3e12, 0.8e12, 2e-6);
  constexpr TileKind tf32_large = tile_kind<LargeTile>(2, 1.3e12, 0.9e12, 3e-6);
  constexpr TileKind tf32_small = tile_kind<SmallTile>(3, 0.65e12, 0.4e12, 2e-6);
  constexpr TileKind float32_large = tile_kind<LargeScalarTile>(1, 0.45e12, 0.45e12, 3e-6);
  constexpr TileKind float32_small = tile_kind<SmallTile>(3, 0.35e12, 0.15e12, 2e-6);

  const bool whole = problem.vectors_a && problem.vectors_b && problem.fours;
  const bool tensor_float32 = whole && problem.tensor_float32 && problem.element_bytes == 4;
  const bool narrow = problem.element_bytes == 2;
  double seconds = 0;
  GemmPlan plan = plan_pieces(problem, narrow ? bfloat16_small : tensor_float32 ? tf32_small : float32_small,
                              multiprocessors, seconds);
  const auto consider = [&](TileSize tile, const TileKind& kind) {
    double its_seconds = 0;
    GemmPlan other = plan_pieces(problem, kind, multiprocessors, its_seconds);
    if (its_seconds >= seconds) return;
    plan = other;
    plan.tile = tile;
    seconds = its_seconds;
  };
  if (whole) consider(TileSize::large, narrow ? bfloat16_large : tensor_float32 ? tf32_large : float32_large);
  if (whole && narrow && problem.shared_bytes >= tall_shared_bytes) consider(TileSize::tall, bfloat16_tall);
  plan.tensor_float32 = tensor_float32;
  plan.vectors_a = whole || (problem.vectors_a && !problem.vectors_b);
  plan.vectors_b = whole;
  return plan;
}

}  // namespace layerwise::cuda
