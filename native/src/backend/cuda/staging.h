// Copies from the host to the device in the order of a stream.
#pragma once

#include <array>
#include <cstddef>

#include "backend/cuda/runtime.h"

namespace layerwise::cuda {

/// A ring of page-locked buffers: a copy waits only where all of them are still on their way.
class Staging {
 public:
  explicit Staging(cudaStream_t stream);

  /// `host` may change as soon as the call returns.
  void copy(void* device, const void* host, size_t bytes);

 private:
  static constexpr size_t slot_bytes = size_t{1} << 20;
  struct Slot {
    PinnedMemory memory;
    Event copied;
  };

  cudaStream_t stream_;
  std::array<Slot, 4> slots_;
  size_t next_ = 0;
};

}  // namespace layerwise::cuda
