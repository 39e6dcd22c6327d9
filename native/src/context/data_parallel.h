// What the blocks of several processes do together, so that they compute what one device with the whole batch would.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/collectives.h"

namespace layerwise {

/// Rows of all processes one after the other.
struct GatheredRows {
  Tensor all;
  ArenaTensor memory;  // of `all`; absent where that is this process's own tensor
};

/// Data parallelism: every process has the whole network and a slice of every batch, the processes' slices in rank order.
/// A process that is alone has the whole batch, and nothing here does anything then.
class DataParallel {
 public:
  /// `collectives`: null for a process that is alone.
  DataParallel(Backend& backend, std::unique_ptr<Collectives> collectives)
      : backend_(backend), collectives_(std::move(collectives)) {}

  bool is_alone() const { return !collectives_; }

  /// This process has so many samples of the batch of the coming steps. All processes call it; throws
  /// Error(invalid_argument) on all of them where one has none.
  void set_batch(int64_t samples);

  /// Samples of each process in the batch; empty in a process that is alone.
  const std::vector<int64_t>& split() const { return samples_; }
  /// The number in the whole batch of this process's first sample.
  int64_t first_sample() const { return first_sample_; }

  /// Of the whole batch, where this process has `own`.
  int64_t samples(int64_t own) const { return collectives_ ? whole(own) : own; }
  /// This process's part of the whole batch. A loss that is a mean over its own samples counts so much in the mean over all.
  double share(int64_t own) const { return collectives_ ? static_cast<double>(own) / static_cast<double>(whole(own)) : 1; }

  /// Moments of this process's samples, of `samples`·`positions` values per channel, become those of the whole batch.
  void merge_moments(const Tensor& mean, const Tensor& variance, int64_t samples, int64_t positions);

  /// Parts of the gradient of the whole batch's loss become that gradient.
  void sum_gradients(const Tensor& gradients);

  /// Sums over this process's samples become share() times those over the whole batch: what divides them by its own number
  /// of samples then has the means of the whole batch, and sum_gradients adds the shares up to the whole.
  void sum_shares(const std::vector<Tensor>& sums, int64_t samples);

  /// A row per sample, of the whole batch; an absent tensor gives an absent one.
  GatheredRows gather(const Tensor& own) const;
  /// Memory for as many rows as gather(own) has: `own` itself in a process that is alone.
  GatheredRows take_rows(const Tensor& own) const;
  /// This process's part of what lies there; own ← these rows, unless they are there already.
  void keep_own_rows(const GatheredRows& from, const Tensor& own) const;

  /// Whether this process counts what all of them compute alike, for the metrics, which are summed over processes.
  bool counts_for_all() const { return !collectives_ || collectives_->rank() == 0; }

 private:
  int64_t whole(int64_t own) const;

  Backend& backend_;
  std::unique_ptr<Collectives> collectives_;
  std::vector<int64_t> samples_;  // of each process
  int64_t first_sample_ = 0, whole_ = 0;
};

}  // namespace layerwise
