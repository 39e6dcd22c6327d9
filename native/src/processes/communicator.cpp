#include "processes/communicator.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.h"

namespace layerwise {

namespace {

/// Up to this size every rank gathers everything and adds it up: one exchange instead of two.
constexpr int64_t small_bytes = 1 << 15;

/// to ← Σ of `parts` vectors that lie one after the other, in their order.
template <class T>
void add_in_order(const T* vectors, int64_t parts, int64_t count, T* to) {
  for (int64_t i = 0; i < count; ++i) {
    double sum = static_cast<double>(vectors[i]);
    for (int64_t part = 1; part < parts; ++part) sum += static_cast<double>(vectors[part * count + i]);
    to[i] = static_cast<T>(sum);
  }
}

}  // namespace

template <class T>
void ordered_sum(Communicator& communicator, T* values, int64_t count, std::vector<char>& scratch) {
  const int64_t ranks = communicator.size(), rank = communicator.rank();
  constexpr int64_t element = sizeof(T);
  const auto take = [&scratch](int64_t elements) {
    const auto bytes = static_cast<size_t>(elements * element);
    if (scratch.size() < bytes) scratch.resize(bytes);
    return reinterpret_cast<T*>(scratch.data());
  };
  if (count * element <= small_bytes) {
    T* const all = take(ranks * count);
    communicator.all_gather(values, all, std::vector<int64_t>(static_cast<size_t>(ranks), count * element));
    add_in_order(all, ranks, count, values);
    return;
  }
  // Every rank adds up one slice for all.
  const auto begin = [&](int64_t r) { return count * r / ranks; };
  std::vector<int64_t> bytes;
  for (int64_t r = 0; r < ranks; ++r) bytes.push_back((begin(r + 1) - begin(r)) * element);
  const int64_t own = begin(rank + 1) - begin(rank);
  T* const slices = take((ranks + 1) * own);
  T* const sum = slices + ranks * own;
  communicator.exchange_slices(values, slices, bytes);
  add_in_order(slices, ranks, own, sum);
  communicator.all_gather(sum, values, bytes);
}

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
