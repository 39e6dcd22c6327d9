// Collectives of devices whose memory is the host's.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "backend/collectives.h"
#include "processes/communicator.h"

namespace layerwise {

/// The collectives of a device through a communicator of its process. They read and write the device's memory directly.
class HostCollectives final : public Collectives {
 public:
  explicit HostCollectives(std::shared_ptr<Communicator> communicator) : communicator_(std::move(communicator)) {}

  int rank() const override { return communicator_->rank(); }
  int size() const override { return communicator_->size(); }
  std::vector<int64_t> gather(int64_t number) override;
  void broadcast(void* data, int64_t bytes, int root) override { communicator_->broadcast(data, bytes, root); }
  void all_gather(const Tensor& own, const Tensor& all, const std::vector<int64_t>& rows) override;
  void ordered_sum(const std::vector<Tensor>& values, double factor) override;
  void copy(const Tensor& from, const Tensor& to) override;
  void merge_moments(const Tensor& mean, const Tensor& variance, const std::vector<int64_t>& counts) override;

 private:
  std::shared_ptr<Communicator> communicator_;
  std::vector<char> scratch_;  // of sums
};

}  // namespace layerwise
