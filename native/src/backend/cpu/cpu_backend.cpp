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

  void set_step_state(const StepState& state) override { device_.step = state; }
  int threads() const override { return threads_; }
  void enter() override { cpu::use_threads(threads_); }
  Arena& arena() override { return arena_; }

  void load_batch(const LoadBatch& op) override { cpu::load_batch(device_, op); }
  void convolution_forward(const ConvolutionForward& op) override { cpu::convolution_forward(device_, op); }
  void moments_of_tensor(const MomentsOfTensor& op) override { cpu::moments_of_tensor(device_, op); }
  void normalize_activate(const NormalizeActivate& op) override { cpu::normalize_activate(device_, op); }
  void classifier_loss(const ClassifierLoss& op) override { cpu::classifier_loss(device_, op); }
  void similarity_loss(const SimilarityLoss& op) override { cpu::similarity_loss(device_, op); }
  void deviation_gradient(const DeviationGradient& op) override { cpu::deviation_gradient(device_, op); }
  void reconstruction_loss(const ReconstructionLoss& op) override { cpu::reconstruction_loss(device_, op); }
  void add_tensor(const AddTensor& op) override { cpu::add_tensor(device_, op); }
  void hidden_gradient(const HiddenGradient& op) override { cpu::hidden_gradient(device_, op); }
  bool gradient_replaces_h(const HiddenGradient& op) const override { return cpu::gradient_replaces_h(device_, op); }
  void batch_norm_gradient(const BatchNormGradient& op) override { cpu::batch_norm_gradient(device_, op); }
  void drop_elements(const DropElements& op) override { cpu::drop_elements(device_, op); }
  void encoder_gradient(const EncoderGradient& op) override { cpu::encoder_gradient(device_, op); }
  void optimizer_step(const OptimizerStep& op) override { cpu::optimizer_step(device_, op); }

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
  fail(ErrorKind::invalid_argument, "there is no such precision");
}

}  // namespace

bool cpu_supports_bfloat16() { return cpu::bfloat16_products() != cpu::Bfloat16Products::none; }

std::unique_ptr<Backend> make_cpu_backend(const DeviceOptions& options) {
  require(!options.tf32, "tf32 is a precision of CUDA devices; the CPU has none");
  return std::make_unique<CpuBackend>(cpu::thread_count(options.threads), activations_of(options.precision),
                                      engine_named(options.engine));
}

}  // namespace layerwise
