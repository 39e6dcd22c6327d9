#include "backend/cuda/engine_choice.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/notice.h"

namespace layerwise::cuda {

namespace {

constexpr int rounds = 5;               // the least time of a candidate counts
constexpr double round_milliseconds = 1;  // so long that the clock's steps and the start do not matter
constexpr int most_runs = 20;           // in a round

bool has(const std::vector<Candidate>& candidates, const std::string& engine) {
  return std::any_of(candidates.begin(), candidates.end(),
                     [&](const Candidate& candidate) { return candidate.engine == engine; });
}

}  // namespace

EngineChoice::EngineChoice(std::string engine, EngineChoices given, std::optional<EngineCache> cache,
                           std::unique_ptr<TrialDevice> device)
    : engine_(std::move(engine)), cache_(std::move(cache)), device_(std::move(device)) {
  if (engine_ != "auto") return;
  given_ = std::move(given);
  choices_ = given_;
  if (cache_) cached_ = cache_->load();
}

void EngineChoice::run(const std::string& operation, const std::vector<Candidate>& candidates, Phase phase) {
  const Candidate& first = candidates.front();
  if (engine_ == "fused" || (engine_ == "auto" && phase == Phase::warming_up)) {
    first.run();
    return;
  }
  if (engine_ == "cudnn") {
    for (size_t i = 1; i < candidates.size(); ++i)
      if (candidates[i].run()) return;
    first.run();
    return;
  }
  run_fastest(operation, candidates, phase);
}

void EngineChoice::run_fastest(const std::string& operation, std::vector<Candidate> candidates, Phase phase) {
  const auto failed = failed_.find(operation);
  if (failed != failed_.end())
    candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                    [&](const Candidate& one) { return failed->second.count(one.engine) != 0; }),
                     candidates.end());
  const std::string engine = choose(operation, candidates, phase);
  const auto chosen = std::find_if(candidates.begin(), candidates.end(),
                                   [&](const Candidate& candidate) { return candidate.engine == engine; });
  if (chosen == candidates.begin()) {
    chosen->run();
    return;
  }
  if (chosen != candidates.end()) {
    // What fails while a step is recorded fails with the recording; the step is then done without one.
    if (phase == Phase::recording ? chosen->run() : attempt(operation, *chosen)) return;
  }
  if (given_.count(operation) != 0)
    fail(ErrorKind::device_unavailable, "the run was started with engine '", engine, "' for '", operation,
         "', which this device or its libraries do not have, or which fails; use the libraries of then, or start a "
         "new run");
  failed_[operation].insert(engine);
  choices_.erase(operation);
  cached_.erase(operation);
  run_fastest(operation, std::move(candidates), phase);
}

const std::string& EngineChoice::choose(const std::string& operation, const std::vector<Candidate>& candidates,
                                        Phase phase) {
  const auto known = choices_.find(operation);
  if (known != choices_.end()) return known->second;
  const auto cached = cached_.find(operation);
  if (cached != cached_.end() && has(candidates, cached->second))
    return choices_.emplace(operation, cached->second).first->second;
  const bool is_open = candidates.size() > 1 && phase == Phase::usual;
  const std::string engine = is_open ? fastest(operation, candidates) : candidates.front().engine;
  if (is_open && cache_) cache_->store(operation, engine);
  return choices_.emplace(operation, engine).first->second;
}

std::string EngineChoice::fastest(const std::string& operation, const std::vector<Candidate>& candidates) {
  struct Contender {
    const Candidate* candidate;
    int runs;
    double time;  // of one run
  };
  std::vector<Contender> contenders;
  device_->set_up([&] {
    // Once each, before any clock runs: this loads kernels and allocates temporaries.
    for (const Candidate& candidate : candidates) {
      if (&candidate == &candidates.front())
        candidate.run();
      else if (!attempt(operation, candidate))
        continue;
      contenders.push_back({&candidate, 1, std::numeric_limits<double>::infinity()});
    }
    if (contenders.size() == 1) return;
    for (Contender& one : contenders) {
      const double once = device_->milliseconds([&] { one.candidate->run(); }, 1);
      one.runs = std::clamp(static_cast<int>(round_milliseconds / std::max(once, 1e-3)), 1, most_runs);
    }
    // In turns, so that what slows the device down for a while slows all of them.
    for (int round = 0; round < rounds; ++round)
      for (Contender& one : contenders)
        one.time = std::min(one.time, device_->milliseconds([&] { one.candidate->run(); }, one.runs) / one.runs);
  });
  return std::min_element(contenders.begin(), contenders.end(),
                          [](const Contender& a, const Contender& b) { return a.time < b.time; })
      ->candidate->engine;
}

/// Runs a candidate other than the first. False where it does not do the operation, or fails at it; throws only
/// where the device has failed too.
bool EngineChoice::attempt(const std::string& operation, const Candidate& candidate) {
  try {
    if (!candidate.run()) return false;
  } catch (const Error& error) {
    if (!device_->works()) throw;
    notice("engine " + candidate.engine + " is left out for '" + operation + "': " + error.what());
    return false;
  }
  return true;
}

}  // namespace layerwise::cuda
