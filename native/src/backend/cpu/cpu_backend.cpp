#include "backend/cpu/cpu_backend.h"

#include <cstring>

#include "backend/cpu/aligned_memory.h"
#include "backend/cpu/operations.h"
#include "backend/cpu/threads.h"
#include "core/error.h"

namespace layerwise {

namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, DataType activations, cpu::ConvolutionEngine engine)
      : threads_(threads), activations_(activations),
        arena_([this](size_t bytes) { return memory_.allocate(bytes); }, [this](void* data) { memory_.release(data); }),
        device_(arena_, engine) {}

  const char* name() const override { return "cpu"; }
  DataType activation_type() const override { return activations_; }
  DataType parameter_type() const override { return DataType::float32; }

  void* allocate(size_t bytes) override { return memory_.allocate(bytes); }
  void release(void* data) noexcept override { memory_.release(data); }
  void fill_zero(void* data, size_t bytes) override { std::memset(data, 0, bytes); }
  void copy_to_device(void* device, const void* host, size_t bytes) override { std::memcpy(device, host, bytes); }
  void copy_to_host(void* host, const void* device, size_t bytes) override { std::memcpy(host, device, bytes); }
  bool uses_host_memory() const override { return true; }
  std::unique_ptr<Collectives> open_collectives(std::unique_ptr<Collectives> on_host) override { return on_host; }

  void set_step_state(const StepState& state) override { device_.step = state; }
  int threads() const override { return threads_; }
  void enter() override { cpu::use_threads(threads_); }
  Arena& arena() override { return arena_; }

#define LAYERWISE_FORWARD(name, Operands) void name(const Operands& op) override { cpu::name(device_, op); }
  LAYERWISE_OPERATIONS(LAYERWISE_FORWARD)
#undef LAYERWISE_FORWARD
  bool gradient_replaces_h(const HiddenGradient& op) const override { return cpu::gradient_replaces_h(device_, op); }

 private:
  const int threads_;
  const DataType activations_;
  cpu::AlignedMemory memory_;
  Arena arena_;
  cpu::Device device_;
};

cpu::ConvolutionEngine engine_named(const std::string& name) {
  if (name == "auto") return cpu::ConvolutionEngine::automatic;
  if (name == "direct") return cpu::ConvolutionEngine::direct;
  if (name == "winograd") return cpu::ConvolutionEngine::winograd;
  fail(ErrorKind::invalid_argument, "the CPU has no engine '", name, "'; ask for auto, direct or winograd");
}

DataType activations_of(Precision precision) {
  const cpu::Bfloat16Products products = cpu::bfloat16_products();
  switch (precision) {
    case Precision::f32: return DataType::float32;
    case Precision::automatic:
      return products == cpu::Bfloat16Products::fast ? DataType::bfloat16 : DataType::float32;
    case Precision::bf16:
      require(cpu_supports_bfloat16(), "precision bf16 needs a processor with AVX-512, which this one "
              "does not have or ONEDNN_MAX_CPU_ISA does not allow; ask for precision f32 or auto");
      return DataType::bfloat16;
  }
  fail(ErrorKind::invalid_argument, "unknown precision");
}

}  // namespace

bool cpu_supports_bfloat16() { return cpu::bfloat16_products() != cpu::Bfloat16Products::none; }

std::unique_ptr<Backend> make_cpu_backend(const DeviceOptions& options) {
  require(!options.tf32, "tf32 is a precision of CUDA devices; the CPU has none");
  return std::make_unique<CpuBackend>(cpu::thread_count(options.threads), activations_of(options.precision),
                                      engine_named(options.engine));
}

}  // namespace layerwise
