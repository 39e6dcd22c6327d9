// The processes that a launcher has started together, and what they exchange in host memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace layerwise {

/// One of `size()` processes. All make the same calls in the same order; each call returns when this process's part of it
/// is done. Not thread-safe, but for abort. Throws Error(internal) where a call fails.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Overwrites the bytes with those of rank `root`.
  virtual void broadcast(void* data, int64_t bytes, int root) = 0;

  /// gathered ← the pieces of all ranks in rank order; rank r's has bytes[r] bytes, and may lie at its place already.
  virtual void all_gather(const void* piece, void* gathered, const std::vector<int64_t>& bytes) = 0;

  /// Every rank has cut its data into slices, slice r of bytes[r] bytes; received ← slice rank() of the other ranks'
  /// data, in rank order.
  virtual void exchange_slices(const void* slices, void* received, const std::vector<int64_t>& bytes) = 0;

  /// The same with slices of counts[r] numbers, float32 or float64; received ← Σ over ranks of slice rank(), added in an
  /// order that is the engine's.
  virtual void sum_slices(const void* slices, void* received, const std::vector<int64_t>& counts, DataType type) = 0;

  // Messages between two ranks; each receives those of another in the order in which they were sent.

  /// Returns when `data` may change again, which for large messages is when the other rank receives it.
  virtual void send(const void* data, int64_t bytes, int to) = 0;
  /// Begins to send. `data` must stay as it is until finish_sends, which waits for all that were begun.
  virtual void start_send(const void* data, int64_t bytes, int to) = 0;
  virtual void finish_sends() = 0;
  /// Waits for the next message; how many bytes it has.
  virtual int64_t next_message_bytes(int from) = 0;
  /// Receives the next message, which has so many bytes.
  virtual void receive(void* data, int64_t bytes, int from) = 0;

  /// The processes that give the same number, in the order of their ranks here.
  virtual std::shared_ptr<Communicator> split(int group) = 0;

  /// Ends all processes at once; the launcher returns `exit_code`. From any thread.
  virtual void abort(int exit_code) noexcept = 0;
};

/// values ← Σ over ranks, added in rank order in double. `scratch` grows to about as many bytes as the values have, and is
/// worth keeping: fresh memory costs more than the sum.
template <class T>
void ordered_sum(Communicator& communicator, T* values, int64_t count, std::vector<char>& scratch);

/// Slice rank() of values, which has counts[r] elements for each rank r ← its Σ over ranks, as ordered_sum adds; the other
/// slices stay as they are.
template <class T>
void ordered_sum_of_slice(Communicator& communicator, T* values, const std::vector<int64_t>& counts,
                          std::vector<char>& scratch);

/// A text of each rank, in rank order.
std::vector<std::string> gather_texts(Communicator& communicator, const std::string& text);

/// Throws Error(invalid_argument) on all ranks unless they have the same value; the message says which rank differs from
/// most, and how. `what` names the value: "the data set's fingerprint".
void check_equal(Communicator& communicator, const std::string& what, const std::string& value);

}  // namespace layerwise
