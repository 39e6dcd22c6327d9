#include "backend/cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace layerwise::cuda {

Staging::Staging(cudaStream_t stream) : stream_(stream) {
  for (Slot& slot : slots_) slot = {make_pinned(slot_bytes), make_event()};
}

void Staging::copy(void* device, const void* host, size_t bytes) {
  for (size_t offset = 0; offset < bytes; offset += slot_bytes) {
    const size_t piece = std::min(slot_bytes, bytes - offset);
    Slot& slot = slots_[next_];
    next_ = (next_ + 1) % slots_.size();
    check(cudaEventSynchronize(slot.copied.get()), "waiting for a copy to the device");
    std::memcpy(slot.memory.get(), static_cast<const char*>(host) + offset, piece);
    copy_async(stream_, static_cast<char*>(device) + offset, slot.memory.get(), piece, cudaMemcpyHostToDevice);
    check(cudaEventRecord(slot.copied.get(), stream_), "copying to the device");
  }
}

}  // namespace layerwise::cuda
