// The collectives of CUDA devices, over NCCL.
#pragma once

#include <memory>
#include <vector>

#include "backend/collectives.h"
#include "backend/cuda/collectives/nccl.h"
#include "core/arena.h"

namespace layerwise::cuda {

/// Work is given to the stream, so a step that is recorded has it too. Temporaries come from the arena.
class NcclCollectives final : public Collectives {
 public:
  /// All processes call it. Throws Error where NCCL is missing, or does not connect them.
  NcclCollectives(std::unique_ptr<Collectives> on_host, cudaStream_t stream, Arena& arena);

  int rank() const override { return on_host_->rank(); }
  int size() const override { return on_host_->size(); }
  /// Once per step, so what has failed since the step before is noticed here.
  std::vector<int64_t> gather(int64_t number) override {
    nccl_.check();
    return on_host_->gather(number);
  }
  void broadcast(void* data, int64_t bytes, int root) override { on_host_->broadcast(data, bytes, root); }
  void all_gather(const Tensor& own, const Tensor& all, const std::vector<int64_t>& rows) override;
  void ordered_sum(const std::vector<Tensor>& values, double factor) override;
  void sum_part(const Tensor& values, const std::vector<int64_t>& parts) override;
  void merge_moments(const Tensor& mean, const Tensor& variance, const std::vector<int64_t>& counts) override;

 private:
  void sum(float* values, int64_t count, double factor);
  void sum_own(float* values, const std::vector<int64_t>& parts, double factor);

  const std::unique_ptr<Collectives> on_host_;
  const cudaStream_t stream_;
  Arena& arena_;
  Nccl nccl_;
};

}  // namespace layerwise::cuda
