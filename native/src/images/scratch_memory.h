// Memory that a thread uses again for each image: the system takes longer to hand out fresh pages than images to be resized.
#pragma once

#include <cstddef>
#include <memory>

namespace layerwise {

/// Uninitialized memory for numbers of a type. What a very large image took is not kept for the next one.
template <class Number>
class ScratchMemory {
 public:
  /// Memory for at least so many numbers, until the next call.
  Number* get(size_t count) {
    if (count > capacity_ || capacity_ > most_kept) {
      memory_.reset();
      capacity_ = 0;
      memory_.reset(new Number[count]);
      capacity_ = count;
    }
    return memory_.get();
  }

 private:
  static constexpr size_t most_kept = (size_t{16} << 20) / sizeof(Number);

  std::unique_ptr<Number[]> memory_;
  size_t capacity_ = 0;
};

}  // namespace layerwise
