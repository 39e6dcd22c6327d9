#include "context/data_parallel.h"

#include <numeric>
#include <utility>

#include "core/error.h"

namespace layerwise {

namespace {

// Vectors of up to so many elements are not cut: two exchanges of parts would take longer than one of the whole.
constexpr int64_t most_uncut = 8192;
constexpr int64_t alignment = 16;  // of parts, in elements, for vector loads

}  // namespace

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

std::vector<int64_t> DataParallel::counts(int64_t samples, int64_t positions) const {
  whole(samples);  // checks
  std::vector<int64_t> counts;
  for (const int64_t each : samples_) counts.push_back(each * positions);
  return counts;
}

void DataParallel::merge_moments(const Tensor& mean, const Tensor& variance, int64_t samples, int64_t positions) {
  if (exchanges_statistics()) collectives_->merge_moments(mean, variance, counts(samples, positions));
}

void DataParallel::average_running_moments(const Tensor& mean, const Tensor& variance, int64_t samples) {
  if (collectives_ && !exchanges_statistics()) collectives_->merge_moments(mean, variance, counts(samples, 1));
}

void DataParallel::sum_gradients(const Tensor& gradients) {
  if (collectives_ && gradients) collectives_->ordered_sum({gradients}, 1);
}

/// How many elements of a vector are whose part; none where it is not worth cutting.
std::vector<int64_t> DataParallel::parts(const Tensor& vector) const {
  const int64_t elements = vector.shape.elements();
  if (!collectives_ || elements <= most_uncut) return {};
  const int64_t ranks = collectives_->size();
  std::vector<int64_t> parts;
  for (int64_t rank = 0, begin = 0; rank < ranks; ++rank) {
    const int64_t end = rank + 1 == ranks ? elements : elements * (rank + 1) / ranks / alignment * alignment;
    parts.push_back(end - begin);
    begin = end;
  }
  return parts;
}

Part DataParallel::sum_part_of_gradients(const Tensor& gradients) {
  const std::vector<int64_t> parts = this->parts(gradients);
  if (parts.empty()) {
    sum_gradients(gradients);
    return {0, gradients.shape.elements()};
  }
  collectives_->sum_part(gradients, parts);
  const auto own = parts.begin() + collectives_->rank();
  return {std::accumulate(parts.begin(), own, int64_t{0}), *own};
}

void DataParallel::gather_parts(const Tensor& values) {
  const std::vector<int64_t> parts = this->parts(values);
  if (parts.empty()) return;
  const auto own = parts.begin() + collectives_->rank();
  const auto begin = static_cast<size_t>(std::accumulate(parts.begin(), own, int64_t{0}));
  char* const place = static_cast<char*>(values.data) + begin * size_of(values.type);
  collectives_->all_gather({place, values.type, Shape::vector(*own)}, values, parts);
}

void DataParallel::sum_over_parts(const Tensor& sum, const Tensor& vector) {
  if (!parts(vector).empty()) collectives_->ordered_sum({sum}, 1);
}

void DataParallel::sum_shares(const std::vector<Tensor>& sums, int64_t samples) {
  if (exchanges_statistics()) collectives_->ordered_sum(sums, share(samples));
}

GatheredRows DataParallel::gather(const Tensor& own) const {
  if (!exchanges_statistics() || !own) return {own, {}};
  // Labels are a vector, everything else has a row per sample.
  const bool is_vector = own.type == DataType::int32;
  const Shape shape = is_vector ? Shape::vector(whole(own.shape.c)) : own.shape.of_samples(whole(own.shape.n));
  GatheredRows rows;
  rows.memory = backend_.arena().take(own.type, shape);
  rows.all = rows.memory;
  collectives_->all_gather(own, rows.all, samples_);
  return rows;
}

}  // namespace layerwise
