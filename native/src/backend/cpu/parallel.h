// Work split over threads in pieces that do not depend on how many threads there are.
#pragma once

#include <algorithm>
#include <cstdint>

namespace layerwise::cpu {

/// Calls body(i) for i in [0, count), in parallel. The body must not throw.
template <class Body>
void parallel_for(int64_t count, const Body& body) {
#pragma omp parallel for schedule(static) if (count > 1)
  for (int64_t i = 0; i < count; ++i) body(i);
}

/// [0, total) cut into pieces of equal size but for the last. The cut is a function of the sizes alone,
/// so that sums formed per piece and folded in order have the same bits for any number of threads.
struct Partition {
  int64_t total = 0;
  int64_t piece = 1;

  /// Pieces of at least `smallest` and at most `most_pieces` of them.
  static Partition of(int64_t total, int64_t smallest, int64_t most_pieces = 256) {
    const int64_t least = (total + most_pieces - 1) / most_pieces;
    return {total, std::max<int64_t>(1, std::max(smallest, least))};
  }

  int64_t count() const { return (total + piece - 1) / piece; }
  int64_t begin(int64_t i) const { return i * piece; }
  int64_t end(int64_t i) const { return std::min(total, (i + 1) * piece); }
  int64_t size(int64_t i) const { return end(i) - begin(i); }
};

/// How many elements are worth handing to a thread: 64 KiB of floats, some microseconds of work.
constexpr int64_t elements_per_piece = 16384;

/// Items of `elements_each` elements, cut into pieces worth handing to a thread.
inline Partition partition_items(int64_t items, int64_t elements_each) {
  return Partition::of(items, (elements_per_piece + elements_each - 1) / elements_each);
}

/// Calls body(n) for each of `items` independent items of `elements_each` elements, in parallel where that
/// pays.
template <class Body>
void parallel_items(int64_t items, int64_t elements_each, const Body& body) {
  const Partition pieces = partition_items(items, elements_each);
  parallel_for(pieces.count(), [&](int64_t i) {
    for (int64_t n = pieces.begin(i); n < pieces.end(i); ++n) body(n);
  });
}

/// Calls body(begin, end) for ranges that cover [0, elements), in parallel. Each begins at a multiple of 64.
template <class Body>
void parallel_ranges(int64_t elements, const Body& body) {
  Partition partition = Partition::of(elements, elements_per_piece);
  partition.piece = (partition.piece + 63) / 64 * 64;
  parallel_for(partition.count(), [&](int64_t i) { body(partition.begin(i), partition.end(i)); });
}

}  // namespace layerwise::cpu
