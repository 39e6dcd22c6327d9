// Which of a block's dynamic shared memory the asynchronous proxy, through which products by a warpgroup read, may see.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda_on_host/execution.h"

namespace layerwise::cuda_on_host {

/// Follows the dynamic shared memory of one block in pieces of 16 bytes, numbered from its start. Failures are
/// KernelFailures that say where and what is missing.
class AsyncProxy {
 public:
  static constexpr size_t piece_bytes = 16;

  /// Nothing has been written to `bytes` bytes at `memory`.
  void begin(const char* memory, size_t bytes);

  // By the running thread. Addresses outside the dynamic shared memory are ignored.
  void copy_issued(const void* to);                  // cp.async
  void copy_arrived(const void* to);                 // copy_async_wait()
  void written(const void* to, size_t bytes);        // in the usual way, at most a piece
  void fence();                                      // fence_async_proxy()

  /// A product reads these pieces from now until end_read().
  void begin_read(const uint16_t* pieces, size_t count);
  void end_read(const uint16_t* pieces, size_t count);

 private:
  enum class State : uint8_t { never_written, under_way, not_fenced, visible };
  struct Piece {
    uint16_t readers = 0;  // products under way
    uint16_t writer = 0;   // the thread that wrote last
    State state = State::never_written;
  };

  void set(size_t piece, State state);
  [[noreturn]] void fail_for_read(size_t piece) const;

  const char* memory_ = nullptr;
  size_t bytes_ = 0;
  std::vector<Piece> pieces_;
  std::array<std::vector<uint16_t>, most_threads_per_block> not_fenced_;  // by thread
};

}  // namespace layerwise::cuda_on_host
