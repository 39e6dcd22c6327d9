#include "backend/cuda/engine_choice.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.h"

namespace layerwise::cuda {

namespace {

constexpr int repetitions = 3;  // after one that loads kernels; the least time counts

bool has(const std::vector<Candidate>& candidates, const std::string& engine) {
  return std::any_of(candidates.begin(), candidates.end(),
                     [&](const Candidate& candidate) { return candidate.engine == engine; });
}

/// A candidate other than the first is tried: what it cannot do, or has no memory for, the first one does.
bool is_able(const Candidate& candidate) {
  try {
    return candidate.run();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::out_of_memory) throw;
    return false;
  }
}

}  // namespace

EngineChoice::EngineChoice(std::string engine, EngineChoices given, std::optional<EngineCache> cache, Timer timer)
    : engine_(std::move(engine)), cache_(std::move(cache)), timer_(std::move(timer)) {
  if (engine_ != "auto") return;
  choices_ = std::move(given);
  if (cache_) cached_ = cache_->load();
}

void EngineChoice::run(const std::string& operation, const std::vector<Candidate>& candidates, bool may_time) {
  const Candidate& first = candidates.front();
  if (engine_ == "fused") {
    first.run();
    return;
  }
  if (engine_ == "cudnn") {
    for (size_t i = 1; i < candidates.size(); ++i)
      if (candidates[i].run()) return;
    first.run();
    return;
  }
  const std::string& engine = choose(operation, candidates, may_time);
  for (const Candidate& candidate : candidates)
    if (candidate.engine == engine && candidate.run()) return;
  fail(ErrorKind::device_unavailable, "the run was started with engine '", engine, "' for '", operation,
       "', which this device or its libraries do not have; use the libraries of then, or start a new run");
}

const std::string& EngineChoice::choose(const std::string& operation, const std::vector<Candidate>& candidates,
                                        bool may_time) {
  const auto known = choices_.find(operation);
  if (known != choices_.end()) return known->second;
  const auto cached = cached_.find(operation);
  if (cached != cached_.end() && has(candidates, cached->second))
    return choices_.emplace(operation, cached->second).first->second;
  const bool is_open = candidates.size() > 1 && may_time;
  const std::string engine = is_open ? fastest(candidates) : candidates.front().engine;
  if (is_open && cache_) cache_->store(operation, engine);
  return choices_.emplace(operation, engine).first->second;
}

std::string EngineChoice::fastest(const std::vector<Candidate>& candidates) const {
  std::string best = candidates.front().engine;
  double best_time = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (i == 0) {
      candidate.run();
    } else if (!is_able(candidate)) {
      continue;
    }
    double time = std::numeric_limits<double>::infinity();
    for (int k = 0; k < repetitions; ++k) time = std::min(time, timer_([&] { candidate.run(); }));
    if (time < best_time) {
      best_time = time;
      best = candidate.engine;
    }
  }
  return best;
}

}  // namespace layerwise::cuda
