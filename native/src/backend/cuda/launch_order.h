// Whether a kernel may be launched before the one before it has ended: only straight after another of this project's
// kernels, each of which begins with begin_kernel() (device_code.h). Copies, fills and libraries wait and are waited for
// as usual.
#pragma once

namespace layerwise::cuda {

class LaunchOrder {
 public:
  /// A call on the device of a stream begins; `can_overlap`: whether the device knows programmatic dependent launch. What the
  /// call before gave to the same stream still counts: the first kernel of a block follows the last one of the block before.
  void enter(bool can_overlap, const void* stream) {
    can_overlap_ = can_overlap;
    if (stream != stream_) after_kernel_ = false;
    stream_ = stream;
  }
  /// Something other than a kernel of this project was given to the stream, or a recording began or was replayed.
  void interrupt() { after_kernel_ = false; }
  void kernel_launched() { after_kernel_ = true; }
  bool may_launch_early() const { return can_overlap_ && after_kernel_; }

 private:
  bool can_overlap_ = false, after_kernel_ = false;
  const void* stream_ = nullptr;
};

/// Of the calling thread, which uses one stream in a call.
inline thread_local LaunchOrder launch_order;

}  // namespace layerwise::cuda
