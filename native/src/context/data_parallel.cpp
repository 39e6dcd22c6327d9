#include "context/data_parallel.h"

#include <numeric>
#include <utility>

#include "core/error.h"

namespace layerwise {

void DataParallel::set_batch(int64_t samples) {
  if (!collectives_) return;
  samples_ = collectives_->gather(samples);
  for (size_t rank = 0; rank < samples_.size(); ++rank)
    require(samples_[rank] > 0, "rank ", rank, " has no images of the batch, which is split over ", samples_.size(),
            " processes; use fewer processes or a larger batch");
  const auto own = samples_.begin() + collectives_->rank();
  first_sample_ = std::accumulate(samples_.begin(), own, int64_t{0});
  whole_ = std::accumulate(own, samples_.end(), first_sample_);
}

int64_t DataParallel::whole(int64_t own) const {
  require_state(whole_ > 0, "several processes train together, and have not been told of their batch");
  const int64_t expected = samples_[static_cast<size_t>(collectives_->rank())];
  require(own == expected, "the batch has ", own, " samples in this process, but ", expected, " were announced");
  return whole_;
}

void DataParallel::merge_moments(const Tensor& mean, const Tensor& variance, int64_t samples, int64_t positions) {
  if (!collectives_) return;
  whole(samples);  // checks
  std::vector<int64_t> counts;
  for (const int64_t each : samples_) counts.push_back(each * positions);
  collectives_->merge_moments(mean, variance, counts);
}

void DataParallel::sum_gradients(const Tensor& gradients) {
  if (collectives_ && gradients) collectives_->ordered_sum({gradients}, 1);
}

void DataParallel::sum_shares(const std::vector<Tensor>& sums, int64_t samples) {
  if (collectives_) collectives_->ordered_sum(sums, share(samples));
}

GatheredRows DataParallel::take_rows(const Tensor& own) const {
  if (!collectives_ || !own) return {own, {}};
  // Labels are a vector, everything else has a row per sample.
  const bool is_vector = own.type == DataType::int32;
  const Shape shape = is_vector ? Shape::vector(whole(own.shape.c)) : own.shape.of_samples(whole(own.shape.n));
  GatheredRows rows;
  rows.memory = backend_.arena().take(own.type, shape);
  rows.all = rows.memory;
  return rows;
}

GatheredRows DataParallel::gather(const Tensor& own) const {
  GatheredRows rows = take_rows(own);
  if (rows.memory) collectives_->all_gather(own, rows.all, samples_);
  return rows;
}

void DataParallel::keep_own_rows(const GatheredRows& from, const Tensor& own) const {
  if (!from.memory) return;
  const size_t row_bytes = own.bytes() / static_cast<size_t>(own.shape.n);
  char* const begin = static_cast<char*>(from.all.data) + static_cast<size_t>(first_sample_) * row_bytes;
  collectives_->copy({begin, own.type, own.shape}, own);
}

}  // namespace layerwise
