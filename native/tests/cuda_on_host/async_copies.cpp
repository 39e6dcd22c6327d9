#include <cstring>

#include "cuda_on_host/async_proxy.h"
#include "cuda_on_host/counting.h"
#include "cuda_on_host/execution.h"

namespace layerwise::cuda_on_host {

namespace {

constexpr size_t copy_bytes = 16;

}  // namespace

void AsyncCopies::issue(void* shared, const void* global, bool valid) {
  if (BlockCounter* const counter = current->block->counter) {
    const void* const site = __builtin_return_address(0);
    counter->note(BlockCounter::Access::copy_store, shared, copy_bytes, site);
    if (valid) counter->note(BlockCounter::Access::copy_read, global, copy_bytes, site);
  }
  if (AsyncProxy* const proxy = current->block->async_proxy) proxy->copy_issued(shared);
  std::memset(shared, 0xFF, copy_bytes);  // until it arrives, nothing can be said about the contents
  copies_.push_back({shared, valid ? global : nullptr});
}

void AsyncCopies::wait(size_t most_pending) {
  if (group_ends_.size() <= most_pending) return;
  const size_t groups = group_ends_.size() - most_pending;
  const size_t end = group_ends_[groups - 1];
  AsyncProxy* const proxy = current->block->async_proxy;
  for (size_t i = 0; i < end; ++i) {
    if (proxy != nullptr) proxy->copy_arrived(copies_[i].shared);
    if (copies_[i].global != nullptr)
      std::memcpy(copies_[i].shared, copies_[i].global, copy_bytes);
    else
      std::memset(copies_[i].shared, 0, copy_bytes);
  }
  copies_.erase(copies_.begin(), copies_.begin() + static_cast<ptrdiff_t>(end));
  group_ends_.erase(group_ends_.begin(), group_ends_.begin() + static_cast<ptrdiff_t>(groups));
  for (size_t& group_end : group_ends_) group_end -= end;
}

void AsyncCopies::clear() {
  copies_.clear();
  group_ends_.clear();
}

}  // namespace layerwise::cuda_on_host
