// What a device must be able to do for several processes to train one network: the seam beside Backend.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace layerwise {

/// The processes of a run, as their devices see each other. All of them make the same calls in the same order. Tensors
/// are device memory. Every result has the same bits on all ranks, and for as many ranks in every run.
class Collectives {
 public:
  virtual ~Collectives() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// A number of each rank, in rank order. Host memory.
  virtual std::vector<int64_t> gather(int64_t number) = 0;

  /// Overwrites the bytes with those of rank `root`. Host memory.
  virtual void broadcast(void* data, int64_t bytes, int root) = 0;

  /// all ← the rows of rank 0, of rank 1, …; rank r has rows[r] of them.
  virtual void all_gather(const Tensor& own, const Tensor& all, const std::vector<int64_t>& rows) = 0;

  /// values ← factor · Σ over ranks, added in rank order; of each of these tensors of the parameters' type.
  virtual void ordered_sum(const std::vector<Tensor>& values, double factor) = 0;

  /// to ← from, of the same shape, on the device.
  virtual void copy(const Tensor& from, const Tensor& to) = 0;

  /// mean and biased variance ← those of all ranks' values together, of which rank r has counts[r] per channel.
  virtual void merge_moments(const Tensor& mean, const Tensor& variance, const std::vector<int64_t>& counts) = 0;
};

}  // namespace layerwise
