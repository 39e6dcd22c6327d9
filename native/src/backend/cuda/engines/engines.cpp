#include "backend/cuda/engines/engines.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "backend/cuda/engines/engine_plans.h"
#include "backend/cuda/hopper/hopper.h"
#include "backend/cuda/runtime.h"

namespace layerwise::cuda {

namespace {

class CudaTrials final : public TrialDevice {
 public:
  CudaTrials(cudaStream_t stream, Arena& arena) : stream_(stream), arena_(arena) {}

  void set_up(const std::function<void()>& trials) override {
    const Arena::Trial set_aside(arena_);
    trials();
  }

  void spoil(const Tensor& tensor) override {
    check(cudaMemsetAsync(tensor.data, 0xFF, tensor.bytes(), stream_), "spoiling results");
    launch_order.interrupt();
  }

  std::vector<float> read(const Tensor& tensor) override {
    std::vector<unsigned char> bytes(tensor.bytes());
    check(cudaMemcpyAsync(bytes.data(), tensor.data, bytes.size(), cudaMemcpyDeviceToHost, stream_), "reading results");
    check(cudaStreamSynchronize(stream_), "reading results");
    launch_order.interrupt();
    std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
    if (tensor.type == DataType::bfloat16) {
      const auto* const narrow = reinterpret_cast<const Bfloat16*>(bytes.data());
      std::transform(narrow, narrow + values.size(), values.begin(), [](Bfloat16 value) { return to_float(value); });
    } else {
      std::memcpy(values.data(), bytes.data(), bytes.size());
    }
    return values;
  }

  double milliseconds(const std::function<void()>& work, int runs) override {
    const Event begin = make_timing_event(), end = make_timing_event();
    check(cudaStreamSynchronize(stream_), "timing an operation");
    check(cudaEventRecord(begin.get(), stream_), "timing an operation");
    for (int run = 0; run < runs; ++run) work();
    check(cudaEventRecord(end.get(), stream_), "timing an operation");
    check(cudaEventSynchronize(end.get()), "timing an operation");
    float elapsed = 0;
    check(cudaEventElapsedTime(&elapsed, begin.get(), end.get()), "timing an operation");
    return elapsed;
  }

  bool works() override {
    cudaGetLastError();  // of the call that failed
    return cudaStreamSynchronize(stream_) == cudaSuccess;
  }

 private:
  cudaStream_t stream_;
  Arena& arena_;
};

/// The functions of namespace fused (convolution.h), or another's of the same meaning.
struct ConvolutionKernels {
  decltype(&fused::convolve) convolve;
  decltype(&fused::convolve_weight_gradient) weight_gradient;
  decltype(&fused::convolve_data_gradient) data_gradient;
  decltype(&fused::hidden_gradient) hidden_gradient;
};

constexpr ConvolutionKernels fused_kernels{fused::convolve, fused::convolve_weight_gradient,
                                           fused::convolve_data_gradient, fused::hidden_gradient};
constexpr ConvolutionKernels hopper_kernels{hopper::convolve, hopper::convolve_weight_gradient,
                                            hopper::convolve_data_gradient, hopper::hidden_gradient};

template <const ConvolutionKernels& kernels>
bool run_by_kernels(Device& device, const Product& p, const std::string&) {
  switch (p.kind) {
    case Product::Kind::convolution:
      kernels.convolve(device, p.geometry, p.x, p.weight, p.bias, p.y, p.moments);
      break;
    case Product::Kind::weight_gradient: kernels.weight_gradient(device, p.geometry, p.x, p.y, p.weight); break;
    case Product::Kind::data_gradient: kernels.data_gradient(device, p.geometry, p.y, p.weight, p.x); break;
    case Product::Kind::hidden_gradient: kernels.hidden_gradient(device, *p.hidden, p.y); break;
  }
  return true;
}

bool supports_all(const Device&, const Product&) { return true; }

bool is_of_library(const std::string& engine) { return engine == "cublas" || engine == "cudnn"; }

bool needs_libraries(const EngineChoices& choices) {
  return std::any_of(choices.begin(), choices.end(),
                     [](const auto& choice) { return is_of_library(split_choice(choice.second.engine).engine); });
}

}  // namespace

const std::vector<Engine>& engine_registry() {
  static const std::vector<Engine> registry = {
      {"fused", "fused", supports_all, run_by_kernels<fused_kernels>, nullptr},
      {"hopper", "hopper", hopper::supports, run_by_kernels<hopper_kernels>, nullptr},
      {"cublas", "cudnn", supports_cublas, run_by_cublas, nullptr},
      {"cudnn", "cudnn", supports_cudnn, run_by_cudnn, plans_of_cudnn},
  };
  return registry;
}

void Engines::run(Device& device, const Product& product) {
  std::vector<Candidate> candidates;
  for (const Engine& engine : engine_registry()) {
    const bool is_asked_for = candidates.empty() || chooses || asked_for == engine.asked_for_as;
    if (!is_asked_for || !engine.supports(device, product)) continue;
    const auto run_plan = [&device, &product, &engine](const std::string& plan) {
      return engine.run(device, product, plan);
    };
    Candidate& candidate = candidates.emplace_back(Candidate{engine.name, [run_plan] { return run_plan({}); }});
    if (engine.plans == nullptr) continue;
    candidate.plans = [&device, &product, &engine] { return engine.plans(device, product); };
    candidate.run_plan = run_plan;
  }
  const bool is_narrow = device.activation_type == DataType::bfloat16 || device.tensor_float32;
  choice.run(product.describe(device), candidates, product.outputs(),
             is_narrow ? Exactness::narrow : Exactness::float32, phase);
}

Engines open_engines(cudaStream_t stream, Arena& arena, const DeviceOptions& options,
                     const cudaDeviceProp& properties) {
  const bool is_auto = options.engine == "auto", is_ours = options.engine == "fused" || options.engine == "hopper";
  require(is_auto || is_ours || options.engine == "cudnn", "CUDA devices have no engine '", options.engine,
          "'; ask for auto, fused, hopper or cudnn");
  if (options.engine == "hopper") hopper::require_device(properties, options.precision);
  EngineChoices given = parse_engine_choices(options.engine_choices);
  OpenedVendorEngine opened;
  if (!is_ours) opened = open_vendor_engine(stream, arena, options.tf32, options.engine);
  if (opened.engine == nullptr && options.engine == "cudnn")
    fail(ErrorKind::device_unavailable, "there is no engine 'cudnn': ", opened.missing,
         "; the engines 'fused' and 'auto' work without it");
  if (opened.engine == nullptr && is_auto && needs_libraries(given))
    fail(ErrorKind::device_unavailable, "the run was started with cuBLAS and cuDNN, and ", opened.missing);
  const bool has_hopper = hopper::works_on(properties) && options.precision != Precision::f32;
  const bool chooses = is_auto && times_count() && (opened.engine != nullptr || has_hopper);
  std::optional<EngineCache> cache;
  if (chooses) {
    const std::string libraries = opened.engine != nullptr ? opened.engine->versions() : "no libraries";
    const std::filesystem::path file =
        EngineCache::file_of(card_and_driver(properties) + " " + libraries + " kernels " + kernel_revision());
    if (!file.empty()) cache.emplace(file);
  }
  return {options.engine, std::move(opened.engine),
          EngineChoice(is_auto, std::move(given), std::move(cache), std::make_unique<CudaTrials>(stream, arena)),
          chooses};
}

const char* kernel_revision() { return LAYERWISE_KERNEL_REVISION; }

}  // namespace layerwise::cuda
