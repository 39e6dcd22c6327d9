#include "cuda_on_host/guarded_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace layerwise::cuda_on_host {

namespace {

constexpr size_t guard_bytes = 256;  // and the alignment
constexpr unsigned char guard = 0xA5;

size_t rounded_up(size_t bytes) { return (bytes + guard_bytes - 1) / guard_bytes * guard_bytes; }

#ifdef __SANITIZE_ADDRESS__
void poison(const void* data, size_t bytes) { __asan_poison_memory_region(data, bytes); }
void unpoison(const void* data, size_t bytes) { __asan_unpoison_memory_region(data, bytes); }
#else
void poison(const void*, size_t) {}
void unpoison(const void*, size_t) {}
#endif

bool all_guard(const char* from, size_t bytes) {
  return std::all_of(from, from + bytes, [](char c) { return static_cast<unsigned char>(c) == guard; });
}

}  // namespace

void GuardedBuffer::Free::operator()(char* memory) const noexcept { std::free(memory); }

GuardedBuffer::~GuardedBuffer() {
  if (memory_ != nullptr) unpoison(memory_.get(), 2 * guard_bytes + rounded_up(capacity_));
}

char* GuardedBuffer::data() const { return memory_.get() + guard_bytes; }

char* GuardedBuffer::reset(size_t bytes) {
  const size_t whole = 2 * guard_bytes + rounded_up(capacity_);
  if (memory_ == nullptr) {
    memory_.reset(static_cast<char*>(std::aligned_alloc(guard_bytes, whole)));
    if (memory_ == nullptr) throw std::bad_alloc();
  } else {
    unpoison(memory_.get(), whole);
  }
  bytes_ = bytes;
  std::memset(memory_.get(), guard, guard_bytes);
  std::memset(data(), 0xFF, bytes);
  std::memset(data() + bytes, guard, guard_bytes);
  poison(memory_.get(), guard_bytes);
  poison(data() + bytes, whole - guard_bytes - bytes);
  return data();
}

bool GuardedBuffer::is_intact() const {
  if (memory_ == nullptr) return true;
  unpoison(memory_.get(), guard_bytes);
  unpoison(data() + bytes_, guard_bytes);
  return all_guard(memory_.get(), guard_bytes) && all_guard(data() + bytes_, guard_bytes);
}

}  // namespace layerwise::cuda_on_host
