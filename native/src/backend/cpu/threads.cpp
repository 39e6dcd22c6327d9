#include "backend/cpu/threads.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "core/error.h"

namespace layerwise::cpu {

namespace {

constexpr int most_threads = 1024;

/// The lowest-numbered hardware thread on the core of `cpu`; `cpu` itself where the kernel does not say.
int first_sibling(int cpu) {
  std::ifstream list("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
  int first = cpu;
  return list >> first ? first : cpu;
}

/// The processors that OpenMP places threads on where OMP_PLACES or OMP_PROC_BIND is set. (The affinity of the thread
/// that loaded OpenMP does not tell then: it has been bound to the first place.)
std::set<int> processors_of_places() {
  std::set<int> processors;
  for (int place = 0; place < omp_get_num_places(); ++place) {
    std::vector<int> ids(static_cast<size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, ids.data());
    processors.insert(ids.begin(), ids.end());
  }
  return processors;
}

std::set<int> processors_of_process() {
  std::set<int> processors;
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (sched_getaffinity(getpid(), sizeof usable, &usable) != 0) return processors;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &usable)) processors.insert(cpu);
  return processors;
}

int usable_cores() {
  std::set<int> processors = processors_of_places();
  if (processors.empty()) processors = processors_of_process();
  std::set<int> cores;
  for (const int cpu : processors) cores.insert(first_sibling(cpu));
  return std::max(1, static_cast<int>(cores.size()));
}

/// The first number of OMP_NUM_THREADS, which may list one per nesting level; 0 where there is none.
int omp_num_threads() {
  const char* const text = std::getenv("OMP_NUM_THREADS");
  if (text == nullptr) return 0;
  const long number = std::strtol(text, nullptr, 10);
  return static_cast<int>(std::clamp<long>(number, 0, most_threads));
}

int automatic_count() {
  if (const int asked = omp_num_threads()) return asked;
  const int cores = std::min(usable_cores(), most_threads);
  const int quota = cpu_quota("");
  return quota == 0 ? cores : std::min(cores, quota);
}

/// Makes the next team of the calling thread have this many threads, if OpenMP has them.
void ask_for_team(int threads) {
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
  // One more level than there is: OMP_MAX_ACTIVE_LEVELS=0 would make every team one thread.
  if (omp_get_max_active_levels() <= omp_get_active_level()) omp_set_max_active_levels(omp_get_active_level() + 1);
}

int size_of_team() {
  int size = 0;
#pragma omp parallel
#pragma omp single
  size = omp_get_num_threads();
  return size;
}

[[noreturn]] void fail_for_want_of_threads(int wanted, int given) {
  std::ostringstream why;
  const int limit = omp_get_thread_limit();
  if (limit < wanted) why << ": its limit is " << limit << " (OMP_THREAD_LIMIT)";
  fail(ErrorKind::device_unavailable, wanted, " threads are wanted, but OpenMP provides ", given, why.str(),
       "; raise the limit or ask for fewer threads");
}

// ---- control groups ---------------------------------------------------------------------------------------

/// Cores of "quota period" in microseconds; 0: no limit.
double cores_of(double quota, double period) { return quota > 0 && period > 0 ? quota / period : 0; }

/// What a cgroup version 2 folder allows; "max" is no number.
double limit_of_version_2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period ? cores_of(quota, period) : 0;
}

/// What a cgroup version 1 folder allows; -1 stands for no limit.
double limit_of_version_1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period ? cores_of(quota, period) : 0;
}

/// The tightest limit of a group and those above it. A container sees its own group as the root, whatever path it is
/// said to have; folders that do not exist have no limit.
template <class Limit>
double tightest(const std::string& mount, std::string group, const Limit& limit) {
  double tightest = limit(mount);
  while (!group.empty() && group != "/") {
    const double here = limit(mount + group);
    if (here > 0 && (tightest == 0 || here < tightest)) tightest = here;
    group.erase(group.find_last_of('/'));
  }
  return tightest;
}

bool has_cpu_controller(const std::string& controllers) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');)
    if (name == "cpu") return true;
  return false;
}

}  // namespace

int cpu_quota(const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  double tightest_limit = 0;
  for (std::string line; std::getline(groups, line);) {  // number:controllers:path
    const size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (path.empty() || path[0] != '/') continue;
    double limit = 0;
    if (controllers.empty()) {
      limit = tightest(root + "/sys/fs/cgroup", path, limit_of_version_2);
    } else if (has_cpu_controller(controllers)) {
      limit = tightest(root + "/sys/fs/cgroup/cpu", path, limit_of_version_1);
    }
    if (limit > 0 && (tightest_limit == 0 || limit < tightest_limit)) tightest_limit = limit;
  }
  return static_cast<int>(std::min<double>(std::ceil(tightest_limit), most_threads));
}

int thread_count(int wanted) {
  require(wanted >= 0 && wanted <= most_threads, "threads must be 0 (one per core) or 1 … ", most_threads, ", not ",
          wanted);
  const int count = wanted != 0 ? wanted : automatic_count();
  ask_for_team(count);
  const int given = size_of_team();
  if (given < count && wanted != 0) fail_for_want_of_threads(wanted, given);
  return given;
}

void use_threads(int threads) {
  ask_for_team(threads);
  thread_local int seen = 0;  // the largest team that this thread has had
  if (threads <= seen) return;
  const int given = size_of_team();
  if (given < threads) fail_for_want_of_threads(threads, given);
  seen = threads;
}

}  // namespace layerwise::cpu
