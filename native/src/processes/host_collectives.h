// Collectives of devices whose memory is the host's.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "backend/collectives.h"
#include "processes/communicator.h"

namespace layerwise {

/// A communicator that counts what goes through its exchanges among all ranks.
class CountingCommunicator final : public Communicator {
 public:
  explicit CountingCommunicator(std::shared_ptr<Communicator> communicator) : communicator_(std::move(communicator)) {}

  int rank() const override { return communicator_->rank(); }
  int size() const override { return communicator_->size(); }
  void broadcast(void* data, int64_t bytes, int root) override;
  void all_gather(const void* piece, void* gathered, const std::vector<int64_t>& bytes) override;
  void exchange_slices(const void* slices, void* received, const std::vector<int64_t>& bytes) override;
  void sum_slices(const void* slices, void* received, const std::vector<int64_t>& counts, DataType type) override;
  void send(const void* data, int64_t bytes, int to) override { communicator_->send(data, bytes, to); }
  void start_send(const void* data, int64_t bytes, int to) override { communicator_->start_send(data, bytes, to); }
  void finish_sends() override { communicator_->finish_sends(); }
  int64_t next_message_bytes(int from) override { return communicator_->next_message_bytes(from); }
  void receive(void* data, int64_t bytes, int from) override { communicator_->receive(data, bytes, from); }
  std::shared_ptr<Communicator> split(int group) override { return communicator_->split(group); }
  void abort(int exit_code) noexcept override { communicator_->abort(exit_code); }

  int64_t exchanges() const { return exchanges_; }
  int64_t received_bytes() const { return received_bytes_; }

 private:
  void count(int64_t received);

  std::shared_ptr<Communicator> communicator_;
  int64_t exchanges_ = 0, received_bytes_ = 0;
};

/// The collectives of a device through a communicator of its process. They read and write the device's memory directly.
class HostCollectives final : public Collectives {
 public:
  explicit HostCollectives(std::shared_ptr<Communicator> communicator, Reduce reduce = Reduce::ordered)
      : communicator_(std::move(communicator)), reduce_(reduce) {}

  int rank() const override { return communicator_.rank(); }
  int size() const override { return communicator_.size(); }
  std::vector<int64_t> gather(int64_t number) override;
  void broadcast(void* data, int64_t bytes, int root) override { communicator_.broadcast(data, bytes, root); }
  void all_gather(const Tensor& own, const Tensor& all, const std::vector<int64_t>& rows) override;
  void ordered_sum(const std::vector<Tensor>& values, double factor) override;
  void sum_part(const Tensor& values, const std::vector<int64_t>& parts) override;
  void merge_moments(const Tensor& mean, const Tensor& variance, const std::vector<int64_t>& counts) override;
  Reduce reduce() const override { return reduce_; }
  Exchanged exchanged() const override {
    return {communicator_.exchanges(), communicator_.received_bytes(), seconds_};
  }

 private:
  CountingCommunicator communicator_;
  Reduce reduce_;
  std::vector<char> scratch_;  // of sums
  double seconds_ = 0;
};

}  // namespace layerwise
