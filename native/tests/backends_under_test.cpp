#include "backends_under_test.h"

#include <cstdlib>

#ifdef LAYERWISE_CPU
#include "backend/cpu/cpu_backend.h"
#endif
#ifdef LAYERWISE_CUDA_ON_HOST
#include "backend/cuda/cuda_backend.h"
#include "cuda_on_host/runtime_api.h"
#endif
#include "backend/reference/reference_backend.h"
#ifdef LAYERWISE_CUDA
#include "core/error.h"
#include "devices/cuda_loader.h"
#endif

namespace layerwise::test {

namespace {

#ifdef LAYERWISE_CPU
BackendUnderTest cpu(const std::string& name, int threads, Precision precision, const std::string& engine = "auto") {
  DeviceOptions options;
  options.threads = threads;
  options.precision = precision;
  options.engine = engine;
  return {name, [options] { return make_cpu_backend(options); }};
}

void add_cpu(std::vector<BackendUnderTest>& backends) {
  backends.push_back(cpu("cpu_1_thread", 1, Precision::f32));
  backends.push_back(cpu("cpu_2_threads", 2, Precision::f32));
  backends.push_back(cpu("cpu_winograd_1_thread", 1, Precision::f32, "winograd"));
  backends.push_back(cpu("cpu_winograd_2_threads", 2, Precision::f32, "winograd"));
  if (!cpu_supports_bfloat16()) return;
  backends.push_back(cpu("cpu_bf16_1_thread", 1, Precision::bf16));
  backends.push_back(cpu("cpu_bf16_2_threads", 2, Precision::bf16));
  backends.push_back(cpu("cpu_bf16_winograd", 2, Precision::bf16, "winograd"));
}
#endif

#ifdef LAYERWISE_CUDA_ON_HOST
std::unique_ptr<Backend> make_cuda_on_host(Precision precision, const std::string& engine = "fused") {
  DeviceOptions options;
  options.precision = precision;
  options.engine = engine;
  return make_cuda_backend("cuda-on-host", options);
}

/// With as many multiprocessors as an H100 has.
std::unique_ptr<Backend> make_cuda_on_host_132(Precision precision) {
  cuda_on_host::set_multiprocessors(132);
  std::unique_ptr<Backend> backend = make_cuda_on_host(precision);
  cuda_on_host::set_multiprocessors(4);
  return backend;
}
#endif

#ifdef LAYERWISE_CUDA
std::unique_ptr<Backend> make_cuda(Precision precision, const std::string& engine) {
  DeviceOptions options;
  options.precision = precision;
  options.engine = engine;
  return open_cuda_backend("cuda", options);
}

/// On the GPU of this machine, if it has one.
void add_cuda(std::vector<BackendUnderTest>& backends) {
  const auto add = [&](const std::string& name, const std::string& engine, bool has_float32 = true) {
    try {
      make_cuda(Precision::bf16, engine);
    } catch (const Error&) {
      return;  // no GPU, or none for that engine, or no libraries
    }
    if (has_float32) backends.push_back({name + "_f32", [engine] { return make_cuda(Precision::f32, engine); }});
    backends.push_back({name + "_bf16", [engine] { return make_cuda(Precision::bf16, engine); }});
  };
  add("cuda", "fused");
  add("cuda_hopper", "hopper", false);
  // Opening them takes seconds, and minutes under a sanitizer.
  const char* const libraries = std::getenv("LAYERWISE_TEST_LIBRARIES");
  if (libraries == nullptr || std::string(libraries) != "no") add("cuda_libraries", "cudnn");
}
#endif

}  // namespace

const std::vector<BackendUnderTest>& backends_under_test() {
  static const std::vector<BackendUnderTest> backends = [] {
    std::vector<BackendUnderTest> all = {
        {"reference", make_reference_backend},  // against itself: guards, untouched inputs, unwritten outputs
    };
#ifdef LAYERWISE_CPU
    add_cpu(all);
#endif
#ifdef LAYERWISE_CUDA_ON_HOST
    all.push_back({"cuda_on_host_f32", [] { return make_cuda_on_host(Precision::f32); }});
    all.push_back({"cuda_on_host_bf16", [] { return make_cuda_on_host(Precision::bf16); }});
    // With loops in place of cuBLAS and cuDNN: what the backend does around them.
    all.push_back({"cuda_on_host_libraries_f32", [] { return make_cuda_on_host(Precision::f32, "cudnn"); }});
    all.push_back({"cuda_on_host_libraries_bf16", [] { return make_cuda_on_host(Precision::bf16, "cudnn"); }});
    all.push_back({"cuda_on_host_hopper", [] { return make_cuda_on_host(Precision::bf16, "hopper"); }});
#endif
#ifdef LAYERWISE_CUDA
    add_cuda(all);
#endif
    return all;
  }();
  return backends;
}

const std::vector<BackendUnderTest>& backends_with_large_tiles() {
  static const std::vector<BackendUnderTest> backends = [] {
    std::vector<BackendUnderTest> all;
#ifdef LAYERWISE_CUDA_ON_HOST
#ifndef __SANITIZE_ADDRESS__  // where they would take minutes; the smaller cases reach the same code
    all.push_back({"cuda_on_host_132_f32", [] { return make_cuda_on_host_132(Precision::f32); }});
#endif
    all.push_back({"cuda_on_host_132_bf16", [] { return make_cuda_on_host_132(Precision::bf16); }});
#endif
#ifdef LAYERWISE_CUDA
    add_cuda(all);
#endif
    return all;
  }();
  return backends;
}

const std::vector<BackendUnderTest>& backends_for_eights() {
  static const std::vector<BackendUnderTest> backends = [] {
    std::vector<BackendUnderTest> all;
#ifdef LAYERWISE_CUDA_ON_HOST
#ifndef __SANITIZE_ADDRESS__  // where they take a minute; other cases reach the same code
    all.push_back({"cuda_on_host_bf16", [] { return make_cuda_on_host(Precision::bf16); }});
#endif
    all.push_back({"cuda_on_host_hopper", [] { return make_cuda_on_host(Precision::bf16, "hopper"); }});
#endif
#ifdef LAYERWISE_CUDA
    add_cuda(all);
#endif
    return all;
  }();
  return backends;
}

}  // namespace layerwise::test
