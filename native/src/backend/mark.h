// Places in a device's work, between which it can say how long it took.
#pragma once

#include <chrono>

namespace layerwise {

/// As Backend::mark gives it.
class Mark {
 public:
  virtual ~Mark() = default;
};

/// Of a device that has done what it was given when the call returns: the host's clock.
class HostMark final : public Mark {
 public:
  double seconds_until(const HostMark& end) const { return std::chrono::duration<double>(end.time_ - time_).count(); }

 private:
  std::chrono::steady_clock::time_point time_ = std::chrono::steady_clock::now();
};

}  // namespace layerwise
