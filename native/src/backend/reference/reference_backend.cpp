#include "backend/reference/reference_backend.h"

#include <cstring>
#include <new>

#include "backend/reference/operations.h"
#include "core/error.h"

namespace layerwise {

namespace {

constexpr std::align_val_t alignment{64};

class ReferenceBackend final : public Backend {
 public:
  ReferenceBackend()
      : arena_([this](size_t bytes) { return allocate(bytes); }, [this](void* data) { release(data); }) {}

  const char* name() const override { return "reference"; }
  DataType activation_type() const override { return DataType::float64; }
  DataType parameter_type() const override { return DataType::float64; }

  void* allocate(size_t bytes) override {
    void* data = ::operator new(bytes, alignment, std::nothrow);
    if (data == nullptr) {
      fail(ErrorKind::out_of_memory, "the reference device has no room for ", bytes,
           " more bytes of host memory; use a smaller batch or network");
    }
    return data;
  }
  void release(void* data) noexcept override { ::operator delete(data, alignment); }
  void fill_zero(void* data, size_t bytes) override { std::memset(data, 0, bytes); }
  void copy_to_device(void* device, const void* host, size_t bytes) override { std::memcpy(device, host, bytes); }
  void copy_to_host(void* host, const void* device, size_t bytes) override { std::memcpy(host, device, bytes); }
  bool uses_host_memory() const override { return true; }
  std::unique_ptr<Collectives> open_collectives(std::unique_ptr<Collectives> on_host) override { return on_host; }

  void set_step_state(const StepState& state) override { state_ = state; }
  void enter() override {}  // there is no per-thread device state
  Arena& arena() override { return arena_; }

#define LAYERWISE_FORWARD(name, Operands) void name(const Operands& op) override { reference::name(op, state_); }
  LAYERWISE_OPERATIONS(LAYERWISE_FORWARD)
#undef LAYERWISE_FORWARD

 private:
  StepState state_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace layerwise
