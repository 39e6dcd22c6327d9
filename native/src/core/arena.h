// Memory of one training step, shared by all blocks of a network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "core/tensor.h"

namespace layerwise {

class Arena;

/// Owns a piece of an arena and gives it back when destroyed. Movable, not copyable.
class ArenaTensor {
 public:
  ArenaTensor() = default;
  ArenaTensor(Arena* arena, Tensor view) : arena_(arena), view_(view) {}
  ArenaTensor(ArenaTensor&& other) noexcept { swap(other); }
  ArenaTensor& operator=(ArenaTensor&& other) noexcept {
    ArenaTensor old(std::move(*this));
    swap(other);
    return *this;
  }
  ArenaTensor(const ArenaTensor&) = delete;
  ArenaTensor& operator=(const ArenaTensor&) = delete;
  ~ArenaTensor();

  const Tensor& view() const { return view_; }
  operator const Tensor&() const { return view_; }  // an owner passes wherever a view is read
  explicit operator bool() const { return static_cast<bool>(view_); }

 private:
  void swap(ArenaTensor& other) noexcept {
    std::swap(arena_, other.arena_);
    std::swap(view_, other.view_);
  }

  Arena* arena_ = nullptr;
  Tensor view_;
};

/// One slab of device memory from which activations and temporaries are cut.
///
/// A block's output is taken from the other end of the slab than its input, temporaries in between,
/// so that a chain of blocks needs the largest block's memory, not the sum over depth. The arena
/// learns its size: what does not fit (everything, in the first step) is allocated on its own, and
/// the next time the arena is empty the slab is replaced by one that would have held it all.
/// Not thread-safe: it belongs to one context.
class Arena {
 public:
  enum class End { low, high };
  using Allocate = std::function<void*(size_t bytes)>;
  using Release = std::function<void(void*)>;

  Arena(Allocate allocate, Release release);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Uninitialised memory of that type and shape, aligned to 64 bytes. An empty shape gives an
  /// absent tensor. Throws Error(out_of_memory).
  ArenaTensor take(DataType type, const Shape& shape, End end = End::low);

  /// The end on which a tensor does not lie: where the output of a block that reads it belongs.
  End opposite(const Tensor& tensor) const;

  /// Bytes of the slab and of what lies outside it now; and the most there ever was at one moment.
  size_t reserved_bytes() const { return slab_bytes_ + overflow_bytes_; }
  size_t peak_bytes() const { return peak_bytes_; }

  bool is_empty() const { return taken_.empty() && overflow_.empty() && tried_.empty(); }
  /// Counts replacements of the slab and pieces that did not fit into it: as long as it stays the same, equal
  /// sequences of take and give back from an empty arena get equal addresses.
  uint64_t changes() const { return changes_; }

  /// While one lives, memory that does not fit into the slab is allocated once for each size that is asked for, kept
  /// when it is given back, and released when the trial ends. Neither the slab's next size nor changes() follow from
  /// it. Trials are for work that is repeated, timed and perhaps never done again. One at a time.
  class Trial {
   public:
    explicit Trial(Arena& arena);
    ~Trial();
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;

   private:
    Arena& arena_;
  };

 private:
  friend class ArenaTensor;

  void* take_bytes(size_t bytes, End end);
  void* take_overflow(size_t bytes);
  void* take_for_trial(size_t bytes);
  void give_back(void* data) noexcept;
  void grow_when_empty();

  Allocate allocate_;
  Release release_;
  char* slab_ = nullptr;
  size_t slab_bytes_ = 0;
  std::map<size_t, size_t> free_;        // offset → bytes, neighbours merged
  std::map<size_t, size_t> taken_;       // offset → bytes
  std::map<void*, size_t> overflow_;     // taken outside the slab
  bool is_trial_ = false;
  std::map<void*, size_t> tried_;        // taken outside the slab during a trial
  std::multimap<size_t, void*> spare_;   // bytes → what the trial has given back
  size_t overflow_bytes_ = 0;            // overflow, tried and spare
  size_t overflow_peak_ = 0;             // since the slab was last sized
  size_t peak_bytes_ = 0;
  uint64_t changes_ = 0;
};

}  // namespace layerwise
