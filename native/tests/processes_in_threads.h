// Several processes in one: a communicator for each of some threads, so that tests need no launcher.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "processes/communicator.h"

namespace layerwise::testing {

/// Threads that wait for each other. When one of them is gone, waiting throws.
class Meeting {
 public:
  explicit Meeting(int size) : size_(size), data_(static_cast<size_t>(size)) {}

  /// Shows `data` to all; reads what all show; returns when nobody reads any more.
  void show(int rank, const void* data, const std::function<void(const std::vector<const void*>&)>& read) {
    data_[static_cast<size_t>(rank)] = data;
    wait();
    read(data_);
    wait();
  }

  void leave() {
    const std::lock_guard<std::mutex> lock(mutex_);
    someone_left_ = true;
    changed_.notify_all();
  }

  int size() const { return size_; }

  void post(int from, int to, std::vector<char> message) {
    const std::lock_guard<std::mutex> lock(mutex_);
    messages_[{from, to}].push_back(std::move(message));
    changed_.notify_all();
  }

  /// Waits for the first message from one rank to another, which stays until it is taken.
  std::vector<char>& first(int from, int to) {
    std::unique_lock<std::mutex> lock(mutex_);
    std::deque<std::vector<char>>& messages = messages_[{from, to}];
    changed_.wait(lock, [&] { return !messages.empty() || someone_left_; });
    if (messages.empty()) throw std::runtime_error("another rank ended");
    return messages.front();
  }

  void take(int from, int to) {
    const std::lock_guard<std::mutex> lock(mutex_);
    messages_[{from, to}].pop_front();
  }

 private:
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const int round = round_;
    if (++arrived_ == size_) {
      arrived_ = 0;
      ++round_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return round_ != round || someone_left_; });
    if (round_ == round) throw std::runtime_error("another rank ended");
  }

  const int size_;
  std::vector<const void*> data_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0, round_ = 0;
  std::map<std::pair<int, int>, std::deque<std::vector<char>>> messages_;
  bool someone_left_ = false;
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  ThreadCommunicator(std::shared_ptr<Meeting> owned, int rank) : owned_(std::move(owned)), meeting_(*owned_), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return meeting_.size(); }

  void broadcast(void* data, int64_t bytes, int root) override {
    meeting_.show(rank_, data, [&](const std::vector<const void*>& shown) {
      if (rank_ != root) std::memcpy(data, shown[static_cast<size_t>(root)], static_cast<size_t>(bytes));
    });
  }

  void all_gather(const void* piece, void* gathered, const std::vector<int64_t>& bytes) override {
    const std::vector<char> own(static_cast<const char*>(piece),  // gathered may lie over it
                                static_cast<const char*>(piece) + bytes[static_cast<size_t>(rank_)]);
    meeting_.show(rank_, own.data(), [&](const std::vector<const void*>& shown) {
      char* to = static_cast<char*>(gathered);
      for (size_t rank = 0; rank < shown.size(); ++rank) {
        std::memcpy(to, shown[rank], static_cast<size_t>(bytes[rank]));
        to += bytes[rank];
      }
    });
  }

  void exchange_slices(const void* slices, void* received, const std::vector<int64_t>& bytes) override {
    const int64_t begin = std::accumulate(bytes.begin(), bytes.begin() + rank_, int64_t{0});
    const auto own = static_cast<size_t>(bytes[static_cast<size_t>(rank_)]);
    meeting_.show(rank_, slices, [&](const std::vector<const void*>& shown) {
      char* to = static_cast<char*>(received);
      for (size_t rank = 0; rank < shown.size(); ++rank) {
        if (static_cast<int>(rank) == rank_) continue;
        std::memcpy(to, static_cast<const char*>(shown[rank]) + begin, own);
        to += own;
      }
    });
  }

  void send(const void* data, int64_t bytes, int to) override {
    const char* const begin = static_cast<const char*>(data);
    meeting_.post(rank_, to, std::vector<char>(begin, begin + bytes));
  }
  void start_send(const void* data, int64_t bytes, int to) override { send(data, bytes, to); }
  void finish_sends() override {}

  int64_t next_message_bytes(int from) override { return static_cast<int64_t>(meeting_.first(from, rank_).size()); }

  void receive(void* data, int64_t bytes, int from) override {
    std::memcpy(data, meeting_.first(from, rank_).data(), static_cast<size_t>(bytes));
    meeting_.take(from, rank_);
  }

  std::shared_ptr<Communicator> split(int group) override {
    std::vector<int> groups(static_cast<size_t>(size()));
    all_gather(&group, groups.data(), std::vector<int64_t>(groups.size(), sizeof group));
    const auto rank_there = std::count(groups.begin(), groups.begin() + rank_, group);
    std::shared_ptr<Meeting> part;
    if (rank_there == 0) part = std::make_shared<Meeting>(static_cast<int>(std::count(groups.begin(), groups.end(), group)));
    std::shared_ptr<Meeting>* const own = &part;
    std::vector<std::shared_ptr<Meeting>*> parts(groups.size());
    all_gather(&own, parts.data(), std::vector<int64_t>(groups.size(), sizeof own));
    const auto first = static_cast<size_t>(std::find(groups.begin(), groups.end(), group) - groups.begin());
    const std::shared_ptr<Meeting> taken = *parts[first];
    const char read = 0;
    std::vector<char> all(groups.size());
    all_gather(&read, all.data(), std::vector<int64_t>(groups.size(), 1));  // everyone has taken theirs
    return std::make_shared<ThreadCommunicator>(taken, static_cast<int>(rank_there));
  }

  /// Adds from the last rank to the first: an order of its own.
  void sum_slices(const void* slices, void* received, const std::vector<int64_t>& counts, DataType type) override {
    if (type == DataType::float64) return sum<double>(slices, static_cast<double*>(received), counts);
    sum<float>(slices, static_cast<float*>(received), counts);
  }

  void abort(int) noexcept override { meeting_.leave(); }

 private:
  template <class T>
  void sum(const void* slices, T* received, const std::vector<int64_t>& counts) {
    const int64_t begin = std::accumulate(counts.begin(), counts.begin() + rank_, int64_t{0});
    const int64_t count = counts[static_cast<size_t>(rank_)];
    meeting_.show(rank_, slices, [&](const std::vector<const void*>& shown) {
      for (int64_t i = 0; i < count; ++i) {
        received[i] = 0;
        for (size_t rank = shown.size(); rank-- > 0;) received[i] += static_cast<const T*>(shown[rank])[begin + i];
      }
    });
  }

  std::shared_ptr<Meeting> owned_;  // of a group that was split off
  Meeting& meeting_;
  int rank_;
};

/// Runs the body once per rank, at the same time; throws what the lowest rank threw, after all have ended.
inline void in_processes(int size, const std::function<void(const std::shared_ptr<Communicator>&)>& body) {
  Meeting meeting(size);
  std::vector<std::exception_ptr> failures(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        body(std::make_shared<ThreadCommunicator>(meeting, rank));
      } catch (...) {
        failures[static_cast<size_t>(rank)] = std::current_exception();
        meeting.leave();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace layerwise::testing
