#include "backend/cuda/engines.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

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

bool needs_libraries(const EngineChoices& choices) {
  return std::any_of(choices.begin(), choices.end(), [](const auto& choice) { return choice.second != "fused"; });
}

}  // namespace

Engines open_engines(cudaStream_t stream, Arena& arena, const DeviceOptions& options, const std::string& device) {
  require(options.engine == "auto" || options.engine == "fused" || options.engine == "cudnn",
          "CUDA devices have no engine '", options.engine, "'; ask for auto, fused or cudnn");
  EngineChoices given = parse_engine_choices(options.engine_choices);
  OpenedVendorEngine opened;
  if (options.engine != "fused") opened = open_vendor_engine(stream, arena, options.tf32, options.engine);
  if (opened.engine == nullptr && options.engine == "cudnn")
    fail(ErrorKind::device_unavailable, "there is no engine 'cudnn': ", opened.missing,
         "; the engines 'fused' and 'auto' work without it");
  if (opened.engine == nullptr && options.engine == "auto" && needs_libraries(given))
    fail(ErrorKind::device_unavailable, "the run was started with cuBLAS and cuDNN, and ", opened.missing);
  std::optional<EngineCache> cache;
  if (opened.engine != nullptr && options.engine == "auto") {
    const std::filesystem::path file =
        EngineCache::file_of(device + " " + opened.engine->versions() + " kernels " + kernel_revision());
    if (!file.empty()) cache.emplace(file);
  }
  const bool chooses = opened.engine != nullptr && options.engine == "auto";
  return {std::move(opened.engine),
          EngineChoice(options.engine, std::move(given), std::move(cache), std::make_unique<CudaTrials>(stream, arena)),
          chooses};
}

const char* kernel_revision() { return LAYERWISE_KERNEL_REVISION; }

}  // namespace layerwise::cuda
