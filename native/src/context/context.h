// A device and what the blocks of a run share on it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/profiled_backend.h"
#include "context/data_parallel.h"

namespace layerwise {

/// Owns the backend, and with it the arena that all blocks of a network share. Blocks, data sets and
/// activations hold the context by shared_ptr, so that handles may be closed in any order.
class Context {
 public:
  /// `profiled`: operations are timed one by one; profile() tells. `collectives`: of the processes that train together;
  /// null for a process that is alone. `statistics`: of several.
  Context(std::unique_ptr<Backend> backend, uint64_t seed, bool profiled = false,
          std::unique_ptr<Collectives> collectives = nullptr, Statistics statistics = Statistics::global);

  Backend& backend() const { return *backend_; }
  uint64_t seed() const { return state_.seed; }
  int threads() const { return backend_->threads(); }

  /// As ProfiledBackend gives it; throws Error(invalid_state) where operations are not timed.
  std::string profile();

  void set_step(uint64_t step, double learning_rate);

  /// The epoch of the coming steps, counted from 1.
  void set_epoch(uint64_t epoch);

  /// How many samples of the batch of the coming steps are this process's: see DataParallel::set_batch.
  void set_batch(int64_t samples);
  DataParallel& data_parallel() const { return *data_parallel_; }

  /// Begins a step of a kind. Steps of one kind do the same on the same memory and differ in the step state
  /// and in the contents of that memory only; of several processes, those whose batches are split alike. True: the device has replayed such a step, nothing is left to
  /// do. False: the caller does it now, then calls end_step, or cancel_step if it failed.
  ///
  /// Where the device can record steps, one that follows a step of its kind that left the arena as it was is recorded.
  /// A recording may fail, and end_step or cancel_step then returns true: nothing of the step has been done, the
  /// caller begins it once more. Nothing is recorded from then on, which a line on stderr says.
  bool begin_step(int64_t kind);
  [[nodiscard]] bool end_step();
  bool cancel_step() noexcept;

  /// Does a part of a step that happens on the host: now, or if the step is being recorded, whenever it is replayed.
  void each_time(std::function<void()> host_part);

  /// For when memory that steps use beside the arena goes away; DeviceBuffer sees to it.
  void forget_recordings() noexcept;

  /// Bytes held by blocks and data sets beside the arena; kept up by DeviceBuffer.
  int64_t parameter_bytes = 0;
  int64_t dataset_bytes = 0;

 private:
  /// What is known of steps of one kind.
  struct Routine {
    bool settled = false;  // the last step left the arena as it was
    std::unique_ptr<Recording> recording;
    std::vector<std::function<void()>> host_parts;
  };

  bool begin_recording();
  bool replay(const Routine& routine);
  void stop_recording(const std::string& reason) noexcept;

  std::unique_ptr<Backend> backend_;
  ProfiledBackend* profiled_ = nullptr;  // the backend, where it is one
  std::unique_ptr<DataParallel> data_parallel_;
  StepState state_;
  std::map<std::pair<std::vector<int64_t>, int64_t>, Routine> routines_;  // by the batch's split and the kind of step
  uint64_t routines_at_ = 0;      // the arena's changes() for which the recordings hold
  Routine* step_of_ = nullptr;    // the step under way
  bool records_ = true;           // until a recording fails
  bool is_recording_ = false;
  uint64_t changes_before_ = 0;   // the arena's, when the step began
};

/// Device memory that outlives a step: parameters, optimiser state, data sets. Zero at first.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  /// `account` is the counter of the context to which the bytes are added while they are held.
  DeviceBuffer(std::shared_ptr<Context> context, DataType type, const Shape& shape, int64_t Context::* account);
  ~DeviceBuffer();
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  const Tensor& view() const { return view_; }
  explicit operator bool() const { return static_cast<bool>(view_); }

 private:
  std::shared_ptr<Context> context_;
  int64_t Context::* account_ = nullptr;
  Tensor view_;
};

}  // namespace layerwise
