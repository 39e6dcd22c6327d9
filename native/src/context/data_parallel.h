// What the blocks of several processes do together, so that they compute what one device with the whole batch would.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/collectives.h"

namespace layerwise {

/// Whose samples the statistics of a batch are of: batch norm's moments, and the similarity loss.
enum class Statistics {
  global,  // those of all processes: the method as published, whatever the number of processes
  local    // those of each process: fewer exchanges, another method
};

/// Rows of all processes one after the other.
struct GatheredRows {
  Tensor all;
  ArenaTensor memory;  // of `all`; absent where that is this process's own tensor
};

/// A part of a vector.
struct Part {
  int64_t begin, count;
};

/// Data parallelism: every process has the whole network and a slice of every batch, the processes' slices in rank order.
/// A process that is alone has the whole batch, and nothing here does anything then.
class DataParallel {
 public:
  /// `collectives`: null for a process that is alone.
  DataParallel(Backend& backend, std::unique_ptr<Collectives> collectives, Statistics statistics)
      : backend_(backend), collectives_(std::move(collectives)), statistics_(statistics) {}

  bool is_alone() const { return !collectives_; }

  /// This process has so many samples of the batch of the coming steps. All processes call it; throws
  /// Error(invalid_argument) on all of them where one has none.
  void set_batch(int64_t samples);

  /// Samples of each process in the batch; empty in a process that is alone.
  const std::vector<int64_t>& split() const { return samples_; }
  /// The number in the whole batch of this process's first sample.
  int64_t first_sample() const { return first_sample_; }

  /// Behind the statistics of a batch of which this process has `own`.
  int64_t statistics_samples(int64_t own) const { return exchanges_statistics() ? whole(own) : own; }
  /// This process's part of the whole batch. A loss that is a mean over its own samples counts so much in the mean over all.
  double share(int64_t own) const { return collectives_ ? static_cast<double>(own) / static_cast<double>(whole(own)) : 1; }

  /// The number among the samples behind the statistics of this process's first one.
  int64_t first_statistics_sample() const { return exchanges_statistics() ? first_sample_ : 0; }
  /// What a loss over the samples behind the statistics counts in the mean over the whole batch.
  double statistics_share(int64_t own) const { return exchanges_statistics() ? 1 : share(own); }

  /// Moments of this process's samples, of `samples`·`positions` values per channel, become those of the whole batch; with
  /// local statistics they stay as they are.
  void merge_moments(const Tensor& mean, const Tensor& variance, int64_t samples, int64_t positions);

  /// Running statistics, which processes with local statistics have moved each by its own samples, become the same on all
  /// of them. Nothing to do with global ones.
  void average_running_moments(const Tensor& mean, const Tensor& variance, int64_t samples);

  /// This process's part of the gradient of the whole batch's loss becomes that gradient.
  void sum_gradients(const Tensor& gradients);

  /// The same for a part of the gradient that is this process's, which is returned: all of a small one.
  Part sum_part_of_gradients(const Tensor& gradients);
  /// values ← the parts of all processes, as sum_part_of_gradients cuts a vector of that length.
  void gather_parts(const Tensor& values);

  /// A sum over this process's part of a vector of that length becomes the one over the whole vector.
  void sum_over_parts(const Tensor& sum, const Tensor& vector);

  /// Sums over this process's samples become share() times those over the whole batch: what divides them by its own number
  /// of samples then has the means of the whole batch, and sum_gradients adds the shares up to the whole. With local
  /// statistics they stay as they are.
  void sum_shares(const std::vector<Tensor>& sums, int64_t samples);

  /// A row per sample behind the statistics; an absent tensor gives an absent one.
  GatheredRows gather(const Tensor& own) const;

  /// All zero for a process that is alone.
  Exchanged exchanged() const { return collectives_ ? collectives_->exchanged() : Exchanged{}; }

 private:
  bool exchanges_statistics() const { return collectives_ && statistics_ == Statistics::global; }
  int64_t whole(int64_t own) const;
  std::vector<int64_t> counts(int64_t samples, int64_t positions) const;
  std::vector<int64_t> parts(const Tensor& vector) const;

  Backend& backend_;
  std::unique_ptr<Collectives> collectives_;
  Statistics statistics_;
  std::vector<int64_t> samples_;  // of each process
  int64_t first_sample_ = 0, whole_ = 0;
};

}  // namespace layerwise
