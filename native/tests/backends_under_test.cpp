#include "backends_under_test.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/reference/reference_backend.h"

namespace layerwise::test {

namespace {

DeviceOptions threads(int count, const std::string& engine = "auto") {
  DeviceOptions options;
  options.threads = count;
  options.engine = engine;
  return options;
}

}  // namespace

const std::vector<BackendUnderTest>& backends_under_test() {
  static const std::vector<BackendUnderTest> backends = {
      {"reference", make_reference_backend},  // against itself: guards, untouched inputs, unwritten outputs
      {"cpu_1_thread", [] { return make_cpu_backend(threads(1)); }},
      {"cpu_2_threads", [] { return make_cpu_backend(threads(2)); }},
      {"cpu_winograd_1_thread", [] { return make_cpu_backend(threads(1, "winograd")); }},
      {"cpu_winograd_2_threads", [] { return make_cpu_backend(threads(2, "winograd")); }},
  };
  return backends;
}

}  // namespace layerwise::test
