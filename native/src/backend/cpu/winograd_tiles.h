// How the tiles of a batch are cut into pieces of work.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

#include "backend/cpu/winograd_loops.h"

namespace layerwise::cpu {

/// A sample, or some rows of its tiles where it has many: what one sum is formed over, always the same for
/// the same map.
struct TileSegment {
  int64_t sample = 0;
  TileRows rows;
};

/// Segments side by side form a block, whose tiles are transformed and multiplied together. Only how many
/// whole samples a block holds depends on the number of threads, so that no sum does.
class TileBlocks {
 public:
  TileBlocks(int64_t samples, int64_t height, int64_t width, int64_t most_tiles, int64_t threads)
      : samples_(samples), rows_((height + 1) / 2), columns_((width + 1) / 2) {
    const int64_t parts = (rows_ * columns_ + most_tiles - 1) / most_tiles;
    rows_per_segment_ = (rows_ + parts - 1) / parts;
    parts_ = (rows_ + rows_per_segment_ - 1) / rows_per_segment_;
    if (parts_ > 1) return;
    const int64_t fair_share = std::max<int64_t>(1, samples / (2 * threads));
    segments_per_block_ = std::clamp<int64_t>(most_tiles / (rows_ * columns_), 1, fair_share);
  }

  int64_t segments() const { return samples_ * parts_; }
  int64_t segments_per_sample() const { return parts_; }
  int64_t blocks() const { return (segments() + segments_per_block_ - 1) / segments_per_block_; }
  int64_t first_segment(int64_t block) const { return block * segments_per_block_; }
  int64_t last_segment(int64_t block) const { return std::min(segments(), (block + 1) * segments_per_block_); }

  TileSegment segment(int64_t i) const {
    const int64_t first = i % parts_ * rows_per_segment_;
    return {i / parts_, {first, std::min(rows_per_segment_, rows_ - first)}};
  }
  int64_t tiles(int64_t segment_index) const { return segment(segment_index).rows.count * columns_; }
  int64_t tiles_of_block(int64_t block) const {
    int64_t sum = 0;
    for (int64_t i = first_segment(block); i < last_segment(block); ++i) sum += tiles(i);
    return sum;
  }
  int64_t tiles_of_full_block() const { return segments_per_block_ * rows_per_segment_ * columns_; }

 private:
  int64_t samples_, rows_, columns_;
  int64_t rows_per_segment_ = 1, parts_ = 1, segments_per_block_ = 1;
};

/// Every thread makes a worker and calls worker(i) for whichever i of [0, count) is next. What is thrown
/// anywhere is thrown again by the calling thread.
template <class MakeWorker>
void share_work(int64_t count, const MakeWorker& make_worker) {
  std::atomic<int64_t> next{0};
  std::exception_ptr error;
#pragma omp parallel
  {
    try {
      auto worker = make_worker();
      for (int64_t i = next++; i < count; i = next++) worker(i);
    } catch (...) {
#pragma omp critical(layerwise_share_work)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace layerwise::cpu
