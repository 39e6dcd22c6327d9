// What the compiler calls before each load and store of sources compiled with -fsanitize=thread: here they are counted
// (counting.h). Nothing of ThreadSanitizer's runtime library is used.
#include "cuda_on_host/counting.h"

namespace {

using layerwise::cuda_on_host::BlockCounter;
using layerwise::cuda_on_host::current;

inline void note(BlockCounter::Access kind, const void* address, size_t bytes, const void* site) {
  if (current != nullptr && current->block != nullptr && current->block->counter != nullptr)
    current->block->counter->note(kind, address, bytes, site);
}

}  // namespace

#define LAYERWISE_COUNTS(function, kind, bytes)                    \
  void function(void* address) {                                   \
    note(BlockCounter::Access::kind, address, bytes, __builtin_return_address(0)); \
  }

extern "C" {

LAYERWISE_COUNTS(__tsan_read1, load, 1)
LAYERWISE_COUNTS(__tsan_read2, load, 2)
LAYERWISE_COUNTS(__tsan_read4, load, 4)
LAYERWISE_COUNTS(__tsan_read8, load, 8)
LAYERWISE_COUNTS(__tsan_read16, load, 16)
LAYERWISE_COUNTS(__tsan_write1, store, 1)
LAYERWISE_COUNTS(__tsan_write2, store, 2)
LAYERWISE_COUNTS(__tsan_write4, store, 4)
LAYERWISE_COUNTS(__tsan_write8, store, 8)
LAYERWISE_COUNTS(__tsan_write16, store, 16)

void __tsan_read_range(void* address, unsigned long bytes) {
  note(BlockCounter::Access::load, address, bytes, __builtin_return_address(0));
}
void __tsan_write_range(void* address, unsigned long bytes) {
  note(BlockCounter::Access::store, address, bytes, __builtin_return_address(0));
}

// Called when a source compiled so is loaded.
void __tsan_init() { layerwise::cuda_on_host::kernels_are_instrumented(); }

// What tells nothing of memory, and pointers to virtual functions, of which kernels have none.
void __tsan_vptr_update(void**, void*) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

}
