// How many threads compute, and making sure that OpenMP provides them.
#pragma once

#include <string>

namespace layerwise::cpu {

/// The number of threads that `wanted` stands for. A positive number stands for itself. 0 stands for OMP_NUM_THREADS
/// where that is set, and otherwise for the number of cores that this process may use: hardware threads of one core
/// count once, and a container's CPU quota is a limit.
///
/// OpenMP is asked for a team of that size, because operations are planned for a number of threads and compute
/// nonsense with fewer. Where it provides fewer (OMP_THREAD_LIMIT, say), 0 stands for what it provides, and a positive
/// number fails with Error(device_unavailable). Throws Error(invalid_argument) outside 0 … 1024.
int thread_count(int wanted);

/// Makes parallel regions that the calling thread opens have `threads` threads: OpenMP keeps such settings per calling
/// thread. Throws Error(device_unavailable) if OpenMP provides fewer to this thread.
void use_threads(int threads);

/// The number of cores, rounded up, that the control groups of this process may keep busy; 0: there is no limit.
/// Reads cgroup versions 1 and 2. `root` is where /proc and /sys are found: empty, but for tests.
int cpu_quota(const std::string& root);

}  // namespace layerwise::cpu
