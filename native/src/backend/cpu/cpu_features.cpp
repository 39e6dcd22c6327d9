// What this processor has.
#include <string>

#include "backend/cpu/cpu_backend.h"

namespace layerwise {

std::string cpu_features() {
  std::string features;
  const auto add = [&features](bool present, const char* name) {
    if (!present) return;
    if (!features.empty()) features += ' ';
    features += name;
  };
  add(__builtin_cpu_supports("avx2"), "avx2");
  add(__builtin_cpu_supports("fma"), "fma");
  add(__builtin_cpu_supports("avx512f"), "avx512f");
  add(__builtin_cpu_supports("avx512bw"), "avx512bw");
  add(__builtin_cpu_supports("avx512bf16"), "avx512_bf16");
  add(__builtin_cpu_supports("amx-bf16"), "amx_bf16");
  return features;
}

}  // namespace layerwise
