#include "backend/cuda/cuda_backend.h"

#include <string>
#include <utility>

#include "backend/cuda/collectives/nccl_collectives.h"
#include "backend/cuda/engines/engines.h"
#include "backend/cuda/hopper/hopper.h"
#include "backend/cuda/launch_order.h"
#include "backend/cuda/operations.h"
#include "backend/cuda/recording.h"
#include "backend/cuda/runtime.h"
#include "backend/cuda/staging.h"

namespace layerwise {

namespace {

/// A place in the stream.
struct EventMark final : public Mark {
  const cuda::Event event = cuda::make_timing_event();
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(const std::string& name, const cudaDeviceProp& properties, const DeviceOptions& options)
      : name_(name),
        can_overlap_launches_(cuda::can_overlap_launches(properties)),
        stream_(cuda::make_stream()),
        staging_(stream_.get()),
        state_(cuda::make_device_memory(state_bytes)),
        arena_([this](size_t bytes) { return allocate(bytes); }, [this](void* data) { release(data); }),
        engines_(cuda::open_engines(stream_.get(), arena_, options, properties)),
        device_{arena_,
                stream_.get(),
                static_cast<StepState*>(state_.get()),
                reinterpret_cast<unsigned*>(static_cast<char*>(state_.get()) + ticket_offset),
                options.precision == Precision::f32 ? DataType::float32 : DataType::bfloat16,
                properties.multiProcessorCount,
                static_cast<int>(properties.sharedMemPerMultiprocessor),
                options.tf32,
                cuda::hopper::works_on(properties),
                engines_} {
    fill_zero(state_.get(), state_bytes);
    // Loads the kernel that is otherwise launched only while a step is recorded, when nothing may be loaded.
    const StepState none{};
    cuda::write_bytes(stream_.get(), state_.get(), &none, sizeof none);
  }

  ~CudaBackend() override {
    cudaStreamSynchronize(stream_.get());
    cuda::launch_order.interrupt();  // another stream may get the same address
  }

  const char* name() const override { return name_.c_str(); }
  DataType activation_type() const override { return device_.activation_type; }
  DataType parameter_type() const override { return DataType::float32; }

  std::string engine_choices() const override { return cuda::to_text(engines_.choice.choices()); }

  void* allocate(size_t bytes) override {
    if (is_recording())
      fail(ErrorKind::invalid_state, "a step that is being recorded needs memory that an earlier one did not");
    return cuda::make_device_memory(bytes).release();
  }
  void release(void* data) noexcept override { cuda::DeviceMemory(data).reset(); }  // waits for the device

  void fill_zero(void* data, size_t bytes) override {
    cuda::clear_async(stream_.get(), data, bytes);
  }
  void copy_to_device(void* device, const void* host, size_t bytes) override {
    if (is_recording()) {
      cuda::write_bytes(stream_.get(), device, host, bytes);
    } else {
      staging_.copy(device, host, bytes);
    }
  }
  void copy_to_host(void* host, const void* device, size_t bytes) override {
    if (is_recording())
      fail(ErrorKind::invalid_state, "nothing can be read from a device while a step is being recorded");
    cuda::copy_async(stream_.get(), host, device, bytes, cudaMemcpyDeviceToHost);
    cuda::check(cudaStreamSynchronize(stream_.get()), "waiting for the device");
  }

  std::unique_ptr<Collectives> open_collectives(std::unique_ptr<Collectives> on_host) override {
    return std::make_unique<cuda::NcclCollectives>(std::move(on_host), stream_.get(), arena_);
  }

  void set_step_state(const StepState& state) override {
    if (is_recording()) fail(ErrorKind::invalid_state, "the step cannot change while it is being recorded");
    const bool is_early = engines_.chooses && state.learning_rate > 0 && state.step < warming_up_steps;
    engines_.phase = is_early ? cuda::Phase::warming_up : cuda::Phase::usual;
    cuda::write_step_state(stream_.get(), static_cast<StepState*>(state_.get()), state);
  }

  void synchronize() override { cuda::check(cudaStreamSynchronize(stream_.get()), "waiting for the device"); }

  std::unique_ptr<Mark> mark() override {
    auto mark = std::make_unique<EventMark>();
    cuda::launch_order.interrupt();  // the next kernel belongs to what comes after the mark
    cuda::check(cudaEventRecord(mark->event.get(), stream_.get()), "timing an operation");
    return mark;
  }
  double seconds_between(const Mark& begin, const Mark& end) override {
    const cudaEvent_t last = static_cast<const EventMark&>(end).event.get();
    cuda::check(cudaEventSynchronize(last), "timing an operation");
    float milliseconds = 0;
    cuda::check(cudaEventElapsedTime(&milliseconds, static_cast<const EventMark&>(begin).event.get(), last),
                "timing an operation");
    return 1e-3 * static_cast<double>(milliseconds);
  }

  bool can_record() const override { return engines_.phase != cuda::Phase::warming_up; }
  void begin_recording() override {
    cuda::check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), "starting to record a step");
    engines_.phase = cuda::Phase::recording;
    cuda::launch_order.interrupt();
  }
  std::unique_ptr<Recording> end_recording() override {
    engines_.phase = cuda::Phase::usual;
    cuda::launch_order.interrupt();
    cudaGraph_t graph = nullptr;
    const cudaError_t error = cudaStreamEndCapture(stream_.get(), &graph);
    const cuda::Graph owned(graph);
    cuda::check(error, "recording a step");
    return std::make_unique<cuda::GraphRecording>(owned, stream_.get());
  }

  void enter() override {
    cuda::check(cudaSetDevice(cuda::device_index(name_)), "selecting the device");
    cuda::launch_order.enter(can_overlap_launches_, stream_.get());
  }
  Arena& arena() override { return arena_; }

#define LAYERWISE_FORWARD(name, Operands) void name(const Operands& op) override { cuda::name(device_, op); }
  LAYERWISE_OPERATIONS(LAYERWISE_FORWARD)
#undef LAYERWISE_FORWARD

 private:
  static constexpr size_t ticket_offset = (sizeof(StepState) + 63) / 64 * 64;
  static constexpr size_t state_bytes = ticket_offset + 64;
  /// Of a run that chooses engines by timing: one that learns how much memory it needs, one or two until its pieces fit
  /// together, and one in which all of it is there. Then engines are timed.
  static constexpr uint64_t warming_up_steps = 4;

  bool is_recording() const { return engines_.phase == cuda::Phase::recording; }

  const std::string name_;
  const bool can_overlap_launches_;
  const cuda::Stream stream_;
  cuda::Staging staging_;
  const cuda::DeviceMemory state_;  // StepState, then the ticket
  Arena arena_;
  cuda::Engines engines_;
  cuda::Device device_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const std::string& device, const DeviceOptions& options) {
  require(!options.tf32 || options.precision == Precision::f32,
          "tf32 rounds float32 products; it goes with precision f32");
  const cudaDeviceProp properties = cuda::use_device(device);
  return std::make_unique<CudaBackend>(device, properties, options);
}

}  // namespace layerwise
