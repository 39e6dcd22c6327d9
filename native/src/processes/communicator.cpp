#include "processes/communicator.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "backend/collectives.h"
#include "core/error.h"

namespace layerwise {

namespace {

/// own ← Σ of the vectors of all ranks in rank order, `others` being those of the other ranks one after the other.
template <class T>
void add_in_order(T* own, const T* others, int64_t rank, int64_t ranks, int64_t count) {
  if (ranks == 2) {  // the order does not matter, and the sum of two floats in double, rounded, is their sum in float
    for (int64_t i = 0; i < count; ++i) own[i] += others[i];
    return;
  }
  constexpr int64_t most = 1024;  // sums that stay in the nearest cache
  double sums[most];
  for (int64_t begin = 0; begin < count; begin += most) {
    const int64_t size = std::min(most, count - begin);
    std::fill_n(sums, size, 0.0);
    for (int64_t r = 0; r < ranks; ++r) {
      const T* const from = (r == rank ? own : others + (r < rank ? r : r - 1) * count) + begin;
      for (int64_t i = 0; i < size; ++i) sums[i] += static_cast<double>(from[i]);
    }
    for (int64_t i = 0; i < size; ++i) own[begin + i] = static_cast<T>(sums[i]);
  }
}

template <class T>
T* take(std::vector<char>& scratch, int64_t elements) {
  const auto bytes = static_cast<size_t>(elements) * sizeof(T);
  if (scratch.size() < bytes) scratch.resize(bytes);
  return reinterpret_cast<T*>(scratch.data());
}

std::vector<int64_t> times(std::vector<int64_t> counts, int64_t factor) {
  for (int64_t& count : counts) count *= factor;
  return counts;
}

}  // namespace

template <class T>
void ordered_sum_of_slice(Communicator& communicator, T* values, const std::vector<int64_t>& counts,
                          std::vector<char>& scratch) {
  const int64_t ranks = communicator.size(), rank = communicator.rank();
  const int64_t count = counts[static_cast<size_t>(rank)];
  T* const others = take<T>(scratch, (ranks - 1) * count);
  communicator.exchange_slices(values, others, times(counts, sizeof(T)));
  T* const own = values + std::accumulate(counts.begin(), counts.begin() + rank, int64_t{0});
  add_in_order(own, others, rank, ranks, count);
}

template <class T>
void ordered_sum(Communicator& communicator, T* values, int64_t count, std::vector<char>& scratch) {
  const int64_t ranks = communicator.size(), rank = communicator.rank();
  constexpr int64_t element = sizeof(T);
  if (count * element <= bytes_summed_whole) {
    T* const all = take<T>(scratch, ranks * count);
    communicator.all_gather(values, all, std::vector<int64_t>(static_cast<size_t>(ranks), count * element));
    for (int64_t i = 0; i < count; ++i) {
      double sum = 0;
      for (int64_t r = 0; r < ranks; ++r) sum += static_cast<double>(all[r * count + i]);
      values[i] = static_cast<T>(sum);
    }
    return;
  }
  // Every rank adds up one slice for all.
  std::vector<int64_t> counts;
  for (int64_t r = 0; r < ranks; ++r) counts.push_back(count * (r + 1) / ranks - count * r / ranks);
  ordered_sum_of_slice(communicator, values, counts, scratch);
  communicator.all_gather(values + count * rank / ranks, values, times(counts, element));
}

template void ordered_sum_of_slice(Communicator&, float*, const std::vector<int64_t>&, std::vector<char>&);
template void ordered_sum_of_slice(Communicator&, double*, const std::vector<int64_t>&, std::vector<char>&);
template void ordered_sum(Communicator&, float*, int64_t, std::vector<char>&);
template void ordered_sum(Communicator&, double*, int64_t, std::vector<char>&);

std::vector<std::string> gather_texts(Communicator& communicator, const std::string& text) {
  const auto ranks = static_cast<size_t>(communicator.size());
  const auto length = static_cast<int64_t>(text.size());
  std::vector<int64_t> lengths(ranks);
  communicator.all_gather(&length, lengths.data(), std::vector<int64_t>(ranks, sizeof length));
  std::string all(static_cast<size_t>(std::accumulate(lengths.begin(), lengths.end(), int64_t{0})), '\0');
  communicator.all_gather(text.data(), all.data(), lengths);
  std::vector<std::string> texts;
  size_t begin = 0;
  for (const int64_t each : lengths) {
    texts.push_back(all.substr(begin, static_cast<size_t>(each)));
    begin += static_cast<size_t>(each);
  }
  return texts;
}

void check_equal(Communicator& communicator, const std::string& what, const std::string& value) {
  const std::vector<std::string> values = gather_texts(communicator, value);
  std::map<std::string, int> votes;
  for (const std::string& each : values) ++votes[each];
  // The value of most ranks, of equals that of the lowest rank.
  const std::string* usual = &values[0];
  for (const std::string& each : values)
    if (votes[each] > votes[*usual]) usual = &each;
  for (size_t rank = 0; rank < values.size(); ++rank)
    require(values[rank] == *usual, what, " of rank ", rank, " is ", values[rank], ", but that of the others is ",
            *usual);
}

}  // namespace layerwise
