// A CUDA-on-host backend that tells the host runtime which operation launches belong to, and notes what each operation
// must do at least.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/observed_backend.h"
#include "cuda_on_host/counting.h"

namespace layerwise::benchmark {

struct LabelledOperation {
  std::string label;  // "layers.3/hidden_gradient", or without a block
  OperationCosts costs;
};

class LabelledBackend final : public ObservedBackend {
 public:
  explicit LabelledBackend(std::unique_ptr<Backend> backend) : ObservedBackend(std::move(backend)) {}

  /// The operations that come next are this block's.
  void set_block(const std::string& name) { block_ = name; }
  /// What was called since the last time.
  std::vector<LabelledOperation> take_operations() { return std::exchange(operations_, {}); }

 private:
  void observe(const char* operation, OperationCosts costs, const std::function<void()>& run) override {
    const std::string label = block_.empty() ? operation : block_ + "/" + operation;
    operations_.push_back({label, std::move(costs)});
    cuda_on_host::set_label(label);
    run();
    cuda_on_host::set_label("");
  }

  std::string block_;
  std::vector<LabelledOperation> operations_;
};

}  // namespace layerwise::benchmark
