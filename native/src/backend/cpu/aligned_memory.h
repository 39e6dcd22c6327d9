// The CPU backend's device memory: the process's own.
#pragma once

#include <cstddef>
#include <unordered_map>

namespace layerwise::cpu {

/// Hands out memory on cache lines. Large pieces are mapped one by one, the largest on huge pages where the kernel
/// grants them: they go back to the kernel when they are released, which in the heap pieces between them would prevent.
/// Not thread-safe: it belongs to one context.
class AlignedMemory {
 public:
  AlignedMemory() = default;
  AlignedMemory(const AlignedMemory&) = delete;
  AlignedMemory& operator=(const AlignedMemory&) = delete;

  /// Uninitialised. Throws Error(out_of_memory).
  void* allocate(size_t bytes);
  /// What allocate gave, once.
  void release(void* data) noexcept;

 private:
  std::unordered_map<void*, size_t> mapped_;  // bytes of the large pieces
};

}  // namespace layerwise::cpu
