// Any backend, with something done around every operation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "backend/backend.h"
#include "backend/operation_costs.h"

namespace layerwise {

/// Does what another backend does; every operation goes through observe().
class ObservedBackend : public Backend {
 public:
  const char* name() const override { return backend_->name(); }
  DataType activation_type() const override { return backend_->activation_type(); }
  DataType parameter_type() const override { return backend_->parameter_type(); }
  std::string engine_choices() const override { return backend_->engine_choices(); }

  void* allocate(size_t bytes) override { return backend_->allocate(bytes); }
  bool uses_host_memory() const override { return backend_->uses_host_memory(); }
  void release(void* data) noexcept override { backend_->release(data); }
  void fill_zero(void* data, size_t bytes) override { backend_->fill_zero(data, bytes); }
  void copy_to_device(void* to, const void* from, size_t bytes) override { backend_->copy_to_device(to, from, bytes); }
  void copy_to_host(void* to, const void* from, size_t bytes) override { backend_->copy_to_host(to, from, bytes); }
  std::unique_ptr<Collectives> open_collectives(std::unique_ptr<Collectives> on_host) override {
    return backend_->open_collectives(std::move(on_host));
  }

  void set_step_state(const StepState& state) override { backend_->set_step_state(state); }
  bool can_record() const override { return backend_->can_record(); }
  void begin_recording() override { backend_->begin_recording(); }
  std::unique_ptr<Recording> end_recording() override { return backend_->end_recording(); }
  void synchronize() override { backend_->synchronize(); }
  std::unique_ptr<Mark> mark() override { return backend_->mark(); }
  double seconds_between(const Mark& begin, const Mark& end) override { return backend_->seconds_between(begin, end); }
  int threads() const override { return backend_->threads(); }
  void enter() override { backend_->enter(); }
  Arena& arena() override { return backend_->arena(); }

#define LAYERWISE_OBSERVE(name, Operands) \
  void name(const Operands& op) override { observe(#name, costs_of(op), [&] { backend_->name(op); }); }
  LAYERWISE_OPERATIONS(LAYERWISE_OBSERVE)
#undef LAYERWISE_OBSERVE
  bool gradient_replaces_h(const HiddenGradient& op) const override { return backend_->gradient_replaces_h(op); }

 protected:
  explicit ObservedBackend(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}

  /// Called in the place of the operation; run() does it.
  virtual void observe(const char* operation, OperationCosts costs, const std::function<void()>& run) = 0;

 private:
  std::unique_ptr<Backend> backend_;
};

}  // namespace layerwise
