// What a device must be able to do for several processes to train one network: the seam beside Backend.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace layerwise {

/// How the gradients of several processes are added: in the order of ranks, which gives the same bits whatever the engine
/// does, or as the engine does it fastest, which gives all processes the same sum and promises no more.
enum class Reduce { ordered, engine };

/// Vectors of up to so many bytes are gathered whole by all ranks, which then all add them up: one exchange instead of two.
constexpr int64_t bytes_summed_whole = 1 << 15;

/// What a process has exchanged with the others so far.
struct Exchanged {
  int64_t exchanges = 0;       // calls of all processes together
  int64_t received_bytes = 0;  // by this process, from others
  double seconds = 0;          // spent in exchanges, the additions that are part of them included; 0 where not measured
};

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

  /// all ← the rows of rank 0, of rank 1, …; rank r has rows[r] of them. `own` may lie at its place in `all`.
  virtual void all_gather(const Tensor& own, const Tensor& all, const std::vector<int64_t>& rows) = 0;

  /// values ← factor · Σ over ranks, added in rank order; of each of these tensors of the parameters' type.
  virtual void ordered_sum(const std::vector<Tensor>& values, double factor) = 0;

  /// Rank r's part of a vector of the parameters' type has parts[r] elements, after those of the ranks before it. This
  /// rank's part of values ← its sum over ranks, added as Reduce says; the other parts are undefined afterwards.
  virtual void sum_part(const Tensor& values, const std::vector<int64_t>& /*parts*/) { ordered_sum({values}, 1); }

  /// mean and biased variance ← those of all ranks' values together, of which rank r has counts[r] per channel.
  virtual void merge_moments(const Tensor& mean, const Tensor& variance, const std::vector<int64_t>& counts) = 0;

  /// How sum_part adds.
  virtual Reduce reduce() const { return Reduce::ordered; }

  virtual Exchanged exchanged() const { return {}; }
};

}  // namespace layerwise
