// Division by a number that is the same for a whole kernel, as a multiplication and a shift: threads find
// sample, row and column of a position with it.
#pragma once

#include <cstdint>

#include "core/host_device.h"

namespace layerwise::cuda {

/// Granlund and Montgomery, "Division by invariant integers using multiplication" (PLDI 1994), figure 4.1.
class Divisor {
 public:
  Divisor() = default;
  /// 0 < divisor < 2³¹.
  explicit Divisor(int64_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    while ((uint64_t{1} << shift_) < divisor_) ++shift_;
    multiplier_ = static_cast<uint32_t>(((uint64_t{1} << 32) * ((uint64_t{1} << shift_) - divisor_)) / divisor_ + 1);
  }

  LAYERWISE_HOST_DEVICE int divisor() const { return static_cast<int>(divisor_); }

  /// 0 ≤ n < 2³¹.
  LAYERWISE_HOST_DEVICE int quotient(int n) const {
    const auto high = static_cast<uint32_t>((static_cast<uint64_t>(static_cast<uint32_t>(n)) * multiplier_) >> 32);
    return static_cast<int>((high + static_cast<uint32_t>(n)) >> shift_);
  }
  LAYERWISE_HOST_DEVICE int quotient(int n, int& remainder) const {
    const int result = quotient(n);
    remainder = n - result * static_cast<int>(divisor_);
    return result;
  }

 private:
  uint32_t divisor_ = 1, multiplier_ = 1, shift_ = 0;
};

}  // namespace layerwise::cuda
