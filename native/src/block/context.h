// A device and what the blocks of a run share on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/backend.h"

namespace layerwise {

/// Owns the backend, and with it the arena that all blocks of a network share. Blocks, data sets and
/// activations hold the context by shared_ptr, so that handles may be closed in any order.
class Context {
 public:
  /// `device` is "cpu", "reference", "cuda", "cuda:0" and so on, or "cuda-on-host"; throws Error(device_unavailable) for any other name.
  /// `threads`: 0 for one per core.
  Context(const std::string& device, int threads, uint64_t seed);

  Backend& backend() const { return *backend_; }
  uint64_t seed() const { return seed_; }
  int threads() const { return threads_; }

  void set_step(uint64_t step, double learning_rate);
  const StepState& step() const { return step_; }

  /// Bytes held by blocks and data sets beside the arena; kept up by DeviceBuffer.
  int64_t parameter_bytes = 0;
  int64_t dataset_bytes = 0;

 private:
  std::unique_ptr<Backend> backend_;
  uint64_t seed_;
  int threads_;
  StepState step_;
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
