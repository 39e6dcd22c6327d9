// The products that a warpgroup has under way (wgmma).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda_on_host/execution.h"

namespace layerwise::cuda_on_host {

/// What a thread gives for sums (64×128) = A (64×16) · B (16×128), plus what they were where `adds`.
struct ProductRequest {
  float* sums;  // the thread's 64
  uint64_t a, b;
  bool a_is_extent_major, b_is_extent_major, adds;
};

/// They are carried out as late as the kernel allows. Until finish(), the threads' arrays of sums hold a NaN.
class WarpgroupProducts {
 public:
  static constexpr unsigned rows = 64, columns = 128, depth = 16;
  static constexpr unsigned sums_of_thread = rows * columns / warpgroup_size;

  /// Forgets all, for a new block.
  void begin();

  // By the thread that is the last of the warpgroup to come.
  void issue(void* const (&requests)[warpgroup_size]);
  void commit();
  /// Carries out all groups but the `most_pending` newest.
  void wait(size_t most_pending);
  /// The same for all groups; then these arrays, 64 sums for each thread, hold the results.
  void finish(void* const (&sums)[warpgroup_size], int parts);

  /// Fails where products are under way or sums were not given back: a thread ends.
  void require_none() const;

 private:
  static constexpr unsigned a_pieces = rows * depth / 8, b_pieces = columns * depth / 8;  // of 16 bytes

  struct Sums {
    std::array<float*, warpgroup_size> of_thread;
    float values[rows][columns];
  };
  struct Product {
    Sums* sums;
    bool a_is_extent_major, b_is_extent_major, adds;
    std::array<uint16_t, a_pieces + b_pieces> pieces;
  };

  Sums& sums_of(void* const (&requests)[warpgroup_size]);
  void require_untouched() const;
  void carry_out(const Product& product) const;

  std::vector<Product> products_;   // oldest first
  std::vector<size_t> group_ends_;  // in products_
  std::vector<std::unique_ptr<Sums>> held_, spare_;
};

}  // namespace layerwise::cuda_on_host
