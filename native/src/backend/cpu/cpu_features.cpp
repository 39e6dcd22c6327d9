// What this processor has and how much of it this process may use.
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include "backend/cpu/cpu_backend.h"
#include "core/error.h"

namespace layerwise {

namespace {

constexpr int most_threads = 1024;

/// The lowest-numbered hardware thread on the core of `cpu`; `cpu` itself where the kernel does not say.
int first_sibling(int cpu) {
  std::ifstream list("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
  int first = cpu;
  return list >> first ? first : cpu;
}

int usable_cores() {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return 1;
  std::set<int> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &usable)) cores.insert(first_sibling(cpu));
  return cores.empty() ? 1 : static_cast<int>(cores.size());
}

}  // namespace

int cpu_thread_count(int threads) {
  require(threads >= 0 && threads <= most_threads, "threads must be 0 (one per core) or 1 … ", most_threads, ", not ",
          threads);
  return threads != 0 ? threads : std::min(usable_cores(), most_threads);
}

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
