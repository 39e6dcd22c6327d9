#include "backend/cpu/aligned_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#include "core/error.h"

namespace layerwise::cpu {

namespace {

constexpr size_t cache_line = 64;
constexpr size_t page = 4096;
constexpr size_t huge_page = size_t{2} << 20;
constexpr size_t large = size_t{256} << 10;

/// `bytes`, whole pages; null if there is no room.
void* map(size_t bytes) {
  void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? nullptr : data;
}

/// The same, beginning on a huge page.
void* map_huge_pages(size_t bytes) {
  void* const all = map(bytes + huge_page);
  if (all == nullptr) return nullptr;
  char* const begin = static_cast<char*>(all);
  const size_t before = (huge_page - reinterpret_cast<uintptr_t>(all) % huge_page) % huge_page;
  if (before > 0) munmap(begin, before);
  munmap(begin + before + bytes, huge_page - before);
  madvise(begin + before, bytes, MADV_HUGEPAGE);  // where it fails, small pages do
  return begin + before;
}

}  // namespace

void* AlignedMemory::allocate(size_t bytes) {
  void* data = nullptr;
  if (bytes >= large) {
    const size_t whole = (bytes + page - 1) / page * page;
    data = bytes >= 2 * huge_page ? map_huge_pages(whole) : map(whole);
    if (data != nullptr) mapped_.emplace(data, whole);
  } else if (posix_memalign(&data, cache_line, bytes) != 0) {
    data = nullptr;
  }
  if (data == nullptr)
    fail(ErrorKind::out_of_memory, "the CPU has no room for another ", bytes,
         " bytes; use a smaller batch or a smaller network");
  return data;
}

void AlignedMemory::release(void* data) noexcept {
  const auto mapped = mapped_.find(data);
  if (mapped == mapped_.end()) {
    std::free(data);
    return;
  }
  munmap(mapped->first, mapped->second);
  mapped_.erase(mapped);
}

}  // namespace layerwise::cpu
