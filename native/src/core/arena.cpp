#include "core/arena.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace layerwise {

namespace {

constexpr size_t alignment = 64;  // a cache line, and the widest vector register

size_t round_up(size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

ArenaTensor::~ArenaTensor() {
  if (arena_ != nullptr) arena_->give_back(view_.data);
}

Arena::Arena(Allocate allocate, Release release) : allocate_(std::move(allocate)), release_(std::move(release)) {}

Arena::Trial::Trial(Arena& arena) : arena_(arena) { arena_.is_trial_ = true; }

Arena::Trial::~Trial() {
  arena_.is_trial_ = false;
  for (const auto& [bytes, data] : arena_.spare_) {
    arena_.overflow_bytes_ -= bytes;
    arena_.release_(data);
  }
  arena_.spare_.clear();
}

Arena::~Arena() {
  for (const auto& piece : tried_) release_(piece.first);
  for (const auto& piece : overflow_) release_(piece.first);
  if (slab_ != nullptr) release_(slab_);
}

ArenaTensor Arena::take(DataType type, const Shape& shape, End end) {
  if (shape.elements() == 0) return {};
  Tensor view{nullptr, type, shape};
  view.data = take_bytes(round_up(view.bytes()), end);
  return ArenaTensor(this, view);
}

Arena::End Arena::opposite(const Tensor& tensor) const {
  // Its middle tells, since a piece of more than half the slab begins in the other half.
  const char* middle = static_cast<const char*>(tensor.data) + tensor.bytes() / 2;
  const bool in_upper_half = middle >= slab_ + slab_bytes_ / 2 && middle < slab_ + slab_bytes_;
  return in_upper_half ? End::low : End::high;
}

void* Arena::take_bytes(size_t bytes, End end) {
  if (is_empty() && !is_trial_) grow_when_empty();
  const auto fits = [bytes](const std::pair<const size_t, size_t>& gap) { return gap.second >= bytes; };
  size_t gap_offset, gap_bytes;
  if (end == End::low) {
    const auto gap = std::find_if(free_.begin(), free_.end(), fits);
    if (gap == free_.end()) return take_overflow(bytes);
    std::tie(gap_offset, gap_bytes) = *gap;
  } else {
    const auto gap = std::find_if(free_.rbegin(), free_.rend(), fits);
    if (gap == free_.rend()) return take_overflow(bytes);
    std::tie(gap_offset, gap_bytes) = *gap;
  }
  free_.erase(gap_offset);
  const size_t rest = gap_bytes - bytes;
  const size_t offset = end == End::low ? gap_offset : gap_offset + rest;
  if (rest > 0) free_.emplace(end == End::low ? gap_offset + bytes : gap_offset, rest);
  taken_.emplace(offset, bytes);
  return slab_ + offset;
}

void* Arena::take_overflow(size_t bytes) {
  if (is_trial_) return take_for_trial(bytes);
  ++changes_;
  void* data = allocate_(bytes);
  overflow_.emplace(data, bytes);
  overflow_bytes_ += bytes;
  overflow_peak_ = std::max(overflow_peak_, overflow_bytes_);
  peak_bytes_ = std::max(peak_bytes_, slab_bytes_ + overflow_bytes_);
  return data;
}

void* Arena::take_for_trial(size_t bytes) {
  const auto spare = spare_.find(bytes);
  if (spare != spare_.end()) {
    void* const data = spare->second;
    tried_.emplace(data, bytes);
    spare_.erase(spare);
    return data;
  }
  void* const data = allocate_(bytes);
  tried_.emplace(data, bytes);
  overflow_bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, slab_bytes_ + overflow_bytes_);
  return data;
}

void Arena::give_back(void* data) noexcept {
  const auto tried = tried_.find(data);
  if (tried != tried_.end()) {
    if (is_trial_) {
      spare_.emplace(tried->second, data);
    } else {
      overflow_bytes_ -= tried->second;
      release_(data);
    }
    tried_.erase(tried);
    return;
  }
  const auto outside = overflow_.find(data);
  if (outside != overflow_.end()) {
    overflow_bytes_ -= outside->second;
    overflow_.erase(outside);
    release_(data);
    return;
  }
  const auto piece = taken_.find(static_cast<size_t>(static_cast<char*>(data) - slab_));
  auto [offset, bytes] = *piece;
  taken_.erase(piece);
  auto after = free_.lower_bound(offset);
  if (after != free_.end() && after->first == offset + bytes) {
    bytes += after->second;
    after = free_.erase(after);
  }
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      before->second += bytes;
      return;
    }
  }
  free_.emplace(offset, bytes);
}

void Arena::grow_when_empty() {
  if (overflow_peak_ == 0) return;
  ++changes_;
  const size_t wanted = slab_bytes_ + overflow_peak_;
  if (slab_ != nullptr) release_(slab_);
  slab_ = nullptr;
  slab_bytes_ = 0;
  free_.clear();
  slab_ = static_cast<char*>(allocate_(wanted));
  slab_bytes_ = wanted;
  free_.emplace(0, wanted);
  overflow_peak_ = 0;
  peak_bytes_ = std::max(peak_bytes_, slab_bytes_);
}

}  // namespace layerwise
