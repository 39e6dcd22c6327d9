// What a device is: memory, a step's state, recordings, and the operations of operations.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "backend/collectives.h"
#include "backend/operations.h"
#include "core/arena.h"
#include "core/philox.h"

namespace layerwise {

/// What changes from step to step. A backend keeps it in device memory, so that a step can be recorded
/// once and replayed.
struct StepState {
  uint64_t seed = 0;
  uint64_t step = 0;          // batches trained since the start of the run: keys the random numbers
  double learning_rate = 0;
  int64_t first_sample = 0;   // the number in the whole batch of this process's first sample: random numbers go by it
  uint64_t epoch = 1;         // counted from 1: decides alternating flips
};

/// The operations of one step, recorded once: replaying it does them again, on the same memory, with the
/// step state of the moment.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

/// A place in a device's work, as Backend::mark gives it: the device can say how long it took from one to another.
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

enum class Precision { automatic, f32, bf16 };

/// What a user may choose of a device. A backend refuses what it does not have: Error(invalid_argument).
struct DeviceOptions {
  int threads = 0;            // 0: as many as this process may keep busy
  Precision precision = Precision::automatic;  // of activations, and of weights as they are multiplied
  std::string engine = "auto";  // which implementation of an operation runs; each backend names its own
  bool tf32 = false;          // f32 products may be rounded to ten bits of mantissa
  std::string engine_choices;  // what Backend::engine_choices gave in an earlier run, to be obeyed; or empty
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// "cpu", "reference", "cuda:0": as the user named it.
  virtual const char* name() const = 0;
  virtual DataType activation_type() const = 0;
  virtual DataType parameter_type() const = 0;

  /// Which implementation was taken for which operation and shape, where that was found out by timing: a
  /// part of a run's configuration, since it decides the bits. Empty where fixed rules decide.
  virtual std::string engine_choices() const { return {}; }

  // Memory. allocate gives uninitialised memory aligned to 64 bytes or throws Error(out_of_memory).
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* data) noexcept = 0;
  virtual void fill_zero(void* data, size_t bytes) = 0;
  virtual void copy_to_device(void* device, const void* host, size_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, size_t bytes) = 0;
  /// Whether operands may lie anywhere in the host's memory.
  virtual bool uses_host_memory() const { return false; }

  /// The collectives of this device, of processes that have `on_host` for host memory; a device whose memory is the host's
  /// has no others. All processes call it. Throws Error where the devices cannot be connected.
  virtual std::unique_ptr<Collectives> open_collectives(std::unique_ptr<Collectives> on_host) = 0;

  /// Replaces what changes from step to step.
  virtual void set_step_state(const StepState& state) = 0;

  /// Whether steps can be recorded. Between begin_recording and end_recording operations, copies to the
  /// device and fills are noted instead of done; what needs an answer of the device is refused.
  virtual bool can_record() const { return false; }
  virtual void begin_recording() {}
  virtual std::unique_ptr<Recording> end_recording() { return nullptr; }

  /// Waits until the device has done all that it was given. Devices that work while they are called need not.
  virtual void synchronize() {}

  /// Marks the place in the device's work between what it was given before and what comes next; and the seconds that
  /// the device took from one mark to a later one, for which the second call waits.
  virtual std::unique_ptr<Mark> mark() { return std::make_unique<HostMark>(); }
  virtual double seconds_between(const Mark& begin, const Mark& end) {
    return static_cast<const HostMark&>(begin).seconds_until(static_cast<const HostMark&>(end));
  }

  /// How many threads of the processor compute.
  virtual int threads() const { return 1; }

  /// Called when a C API call begins on this context, on the calling thread.
  virtual void enter() = 0;

  /// The memory of the running step. Operations take their temporaries from it as well.
  virtual Arena& arena() = 0;

#define LAYERWISE_DECLARE(name, Operands) virtual void name(const Operands& op) = 0;
  LAYERWISE_OPERATIONS(LAYERWISE_DECLARE)
#undef LAYERWISE_DECLARE

  /// Whether g of this operation may lie where h does, which nothing reads afterwards. Saves its memory.
  virtual bool gradient_replaces_h(const HiddenGradient&) const { return false; }
};

}  // namespace layerwise
