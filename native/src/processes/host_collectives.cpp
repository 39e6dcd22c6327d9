#include "processes/host_collectives.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

#include "core/error.h"

namespace layerwise {

namespace {

int64_t sum_of(const std::vector<int64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), int64_t{0});
}

/// Calls with a value of the type that parameters have.
template <class Body>
void with_parameter_type(DataType type, const Body& body) {
  if (type == DataType::float64) return body(double{});
  if (type == DataType::float32) return body(float{});
  fail(ErrorKind::internal, "processes exchange parameters in float32 or float64");
}

template <class T>
void sum_tensors(Communicator& communicator, const std::vector<Tensor>& values, double factor,
                 std::vector<char>& scratch) {
  const auto scale = [factor](T* elements, int64_t count) {
    if (factor == 1) return;
    for (int64_t i = 0; i < count; ++i) elements[i] = static_cast<T>(factor * static_cast<double>(elements[i]));
  };
  if (values.size() == 1) {
    const int64_t count = values[0].shape.elements();
    ordered_sum(communicator, values[0].as<T>(), count, scratch);
    return scale(values[0].as<T>(), count);
  }
  std::vector<T> packed;  // one exchange for all of them
  for (const Tensor& tensor : values)
    packed.insert(packed.end(), tensor.as<T>(), tensor.as<T>() + tensor.shape.elements());
  ordered_sum(communicator, packed.data(), static_cast<int64_t>(packed.size()), scratch);
  scale(packed.data(), static_cast<int64_t>(packed.size()));
  const T* from = packed.data();
  for (const Tensor& tensor : values) {
    std::copy_n(from, tensor.shape.elements(), tensor.as<T>());
    from += tensor.shape.elements();
  }
}

template <class T>
void merge(Communicator& communicator, T* mean, T* variance, int64_t channels, const std::vector<int64_t>& counts) {
  const auto ranks = static_cast<size_t>(communicator.size());
  const auto width = static_cast<size_t>(2 * channels);
  std::vector<T> own(mean, mean + channels);
  own.insert(own.end(), variance, variance + channels);
  std::vector<T> all(ranks * width);
  communicator.all_gather(own.data(), all.data(),
                          std::vector<int64_t>(ranks, static_cast<int64_t>(width * sizeof(T))));
  const double total = static_cast<double>(sum_of(counts));
  for (int64_t c = 0; c < channels; ++c) {
    const auto mean_of = [&](size_t rank) { return static_cast<double>(all[rank * width + static_cast<size_t>(c)]); };
    const auto variance_of = [&](size_t rank) {
      return static_cast<double>(all[rank * width + static_cast<size_t>(channels + c)]);
    };
    double merged_mean = 0, merged_variance = 0;
    for (size_t rank = 0; rank < ranks; ++rank) merged_mean += static_cast<double>(counts[rank]) / total * mean_of(rank);
    for (size_t rank = 0; rank < ranks; ++rank) {
      const double apart = mean_of(rank) - merged_mean;
      merged_variance += static_cast<double>(counts[rank]) / total * (variance_of(rank) + apart * apart);
    }
    mean[c] = static_cast<T>(merged_mean);
    variance[c] = static_cast<T>(merged_variance);
  }
}

template <class T>
void engine_sum_of_slice(Communicator& communicator, const Tensor& values, const std::vector<int64_t>& counts,
                         std::vector<char>& scratch) {
  const auto rank = static_cast<size_t>(communicator.rank());
  const size_t bytes = static_cast<size_t>(counts[rank]) * sizeof(T);
  if (scratch.size() < bytes) scratch.resize(bytes);
  communicator.sum_slices(values.data, scratch.data(), counts, values.type);
  const int64_t begin = std::accumulate(counts.begin(), counts.begin() + communicator.rank(), int64_t{0});
  std::memcpy(values.as<T>() + begin, scratch.data(), bytes);
}

/// Adds the time of its own life.
class Timer {
 public:
  explicit Timer(double& seconds) : seconds_(seconds) {}
  ~Timer() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

void CountingCommunicator::count(int64_t received) {
  ++exchanges_;
  received_bytes_ += received;
}

void CountingCommunicator::broadcast(void* data, int64_t bytes, int root) {
  communicator_->broadcast(data, bytes, root);
  count(rank() == root ? 0 : bytes);
}

void CountingCommunicator::all_gather(const void* piece, void* gathered, const std::vector<int64_t>& bytes) {
  communicator_->all_gather(piece, gathered, bytes);
  count(sum_of(bytes) - bytes[static_cast<size_t>(rank())]);
}

void CountingCommunicator::exchange_slices(const void* slices, void* received, const std::vector<int64_t>& bytes) {
  communicator_->exchange_slices(slices, received, bytes);
  count(bytes[static_cast<size_t>(rank())] * (size() - 1));
}

void CountingCommunicator::sum_slices(const void* slices, void* received, const std::vector<int64_t>& counts,
                                      DataType type) {
  communicator_->sum_slices(slices, received, counts, type);
  count(counts[static_cast<size_t>(rank())] * (size() - 1) * static_cast<int64_t>(size_of(type)));
}

std::vector<int64_t> HostCollectives::gather(int64_t number) {
  const Timer timer(seconds_);
  const auto ranks = static_cast<size_t>(size());
  std::vector<int64_t> numbers(ranks);
  communicator_.all_gather(&number, numbers.data(), std::vector<int64_t>(ranks, sizeof number));
  return numbers;
}

void HostCollectives::all_gather(const Tensor& own, const Tensor& all, const std::vector<int64_t>& rows) {
  const Timer timer(seconds_);
  const auto row_bytes = static_cast<int64_t>(all.bytes()) / sum_of(rows);
  std::vector<int64_t> bytes;
  for (const int64_t count : rows) bytes.push_back(count * row_bytes);
  communicator_.all_gather(own.data, all.data, bytes);
}

void HostCollectives::ordered_sum(const std::vector<Tensor>& values, double factor) {
  const Timer timer(seconds_);
  with_parameter_type(values.at(0).type,
                      [&](auto t) { sum_tensors<decltype(t)>(communicator_, values, factor, scratch_); });
}

void HostCollectives::sum_part(const Tensor& values, const std::vector<int64_t>& parts) {
  const Timer timer(seconds_);
  with_parameter_type(values.type, [&](auto t) {
    using T = decltype(t);
    if (reduce_ == Reduce::ordered)
      layerwise::ordered_sum_of_slice(communicator_, values.as<T>(), parts, scratch_);
    else
      engine_sum_of_slice<T>(communicator_, values, parts, scratch_);
  });
}

void HostCollectives::merge_moments(const Tensor& mean, const Tensor& variance, const std::vector<int64_t>& counts) {
  const Timer timer(seconds_);
  with_parameter_type(mean.type, [&](auto t) {
    using T = decltype(t);
    merge(communicator_, mean.as<T>(), variance.as<T>(), mean.shape.elements(), counts);
  });
}

}  // namespace layerwise
