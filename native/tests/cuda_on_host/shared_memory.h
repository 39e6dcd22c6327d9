// Shared memory: what a block's threads have in common. It holds NaN when a block starts.
#pragma once

#include <cstdint>
#include <cstring>

#include "cuda_on_host/counting.h"
#include "cuda_on_host/execution.h"

namespace layerwise::cuda_on_host {

/// A __shared__ variable: one per thread of the operating system, on which a block stays.
template <class T>
class SharedVariable {
 public:
  /// The variable, in the state in which the block has it.
  T& of_block() {
    if (serial_ != current->block->serial) {
      serial_ = current->block->serial;
      std::memset(static_cast<void*>(&value_), 0xFF, sizeof value_);
      if (current->block->counter != nullptr) current->block->counter->add_shared(&value_, sizeof value_);
    }
    return value_;
  }

 private:
  static_assert(sizeof(T) <= most_shared_bytes_by_default, "static shared memory is limited to 48 KiB");
  alignas(16) T value_;
  uint64_t serial_ = 0;
};

}  // namespace layerwise::cuda_on_host
