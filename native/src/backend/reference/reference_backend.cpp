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

  void set_step_state(const StepState& state) override { state_ = state; }
  void enter() override {}  // there is no per-thread device state
  Arena& arena() override { return arena_; }

  void load_batch(const LoadBatch& op) override { reference::load_batch(op, state_); }
  void convolution_forward(const ConvolutionForward& op) override { reference::convolution_forward(op); }
  void moments_of_tensor(const MomentsOfTensor& op) override { reference::moments_of_tensor(op); }
  void normalize_activate(const NormalizeActivate& op) override { reference::normalize_activate(op, state_); }
  void classifier_loss(const ClassifierLoss& op) override { reference::classifier_loss(op); }
  void similarity_loss(const SimilarityLoss& op) override { reference::similarity_loss(op); }
  void deviation_gradient(const DeviationGradient& op) override { reference::deviation_gradient(op); }
  void reconstruction_loss(const ReconstructionLoss& op) override { reference::reconstruction_loss(op); }
  void add_tensor(const AddTensor& op) override { reference::add_tensor(op); }
  void hidden_gradient(const HiddenGradient& op) override { reference::hidden_gradient(op, state_); }
  void batch_norm_gradient(const BatchNormGradient& op) override { reference::batch_norm_gradient(op); }
  void drop_elements(const DropElements& op) override { reference::drop_elements(op, state_); }
  void encoder_gradient(const EncoderGradient& op) override { reference::encoder_gradient(op); }
  void optimizer_step(const OptimizerStep& op) override {
    reference::optimizer_step(op, state_.learning_rate);
  }

 private:
  StepState state_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace layerwise
