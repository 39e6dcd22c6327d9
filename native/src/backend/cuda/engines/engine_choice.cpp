#include "backend/cuda/engines/engine_choice.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "backend/cuda/engines/engine_plans.h"
#include "core/error.h"
#include "core/notice.h"

namespace layerwise::cuda {

namespace {

constexpr int rounds = 5;               // the least time of a candidate counts
constexpr double round_milliseconds = 1;  // so long that the clock's steps and the start do not matter
constexpr int most_runs = 20;           // in a round

}  // namespace

EngineChoice::EngineChoice(bool automatic, EngineChoices given, std::optional<EngineCache> cache,
                           std::unique_ptr<TrialDevice> device)
    : automatic_(automatic), cache_(std::move(cache)), device_(std::move(device)) {
  if (!automatic_) return;
  given_ = std::move(given);
  choices_ = given_;
  if (cache_) cached_ = cache_->load();
}

void EngineChoice::run(const std::string& operation, const std::vector<Candidate>& candidates,
                       const std::vector<Tensor>& outputs, Exactness exactness, Phase phase) {
  if (automatic_ && phase == Phase::warming_up) {
    candidates.front().run();
  } else if (automatic_) {
    run_fastest({operation, candidates, outputs, exactness, phase});
  } else {
    for (auto candidate = candidates.rbegin(); candidate != candidates.rend(); ++candidate)
      if (candidate->run()) return;
  }
}

void EngineChoice::run_fastest(Call call) {
  call.candidates.erase(std::remove_if(call.candidates.begin(), call.candidates.end(),
                                       [&](const Candidate& one) { return has_failed(call.operation, one); }),
                        call.candidates.end());
  const std::string engine = choose(call).engine;
  if (engine == call.candidates.front().engine) {
    call.candidates.front().run();
    return;
  }
  if (const std::optional<Candidate> chosen = find_candidate(call.candidates, engine)) {
    // What fails while a step is recorded fails with the recording; the step is then done without one.
    if (call.phase == Phase::recording ? chosen->run() : attempt(call.operation, *chosen)) return;
  }
  if (given_.count(call.operation) != 0)
    fail(ErrorKind::device_unavailable, "the run was started with engine '", engine, "' for '", call.operation,
         "', which this device or its libraries do not have, or which fails; use the libraries of then, or start a "
         "new run");
  failed_[call.operation].insert(engine);
  choices_.erase(call.operation);
  cached_.erase(call.operation);
  run_fastest(std::move(call));
}

const ChosenEngine& EngineChoice::choose(const Call& call) {
  const auto known = choices_.find(call.operation);
  if (known != choices_.end()) return known->second;
  const auto cached = cached_.find(call.operation);
  if (cached != cached_.end() && find_candidate(call.candidates, cached->second.engine))
    return choices_.emplace(call.operation, cached->second).first->second;
  const bool is_open = call.candidates.size() > 1 && call.phase == Phase::usual;
  const ChosenEngine chosen = is_open ? fastest(call) : ChosenEngine{call.candidates.front().engine, {}};
  if (is_open && cache_) cache_->store(call.operation, chosen);
  return choices_.emplace(call.operation, chosen).first->second;
}

ChosenEngine EngineChoice::fastest(const Call& call) {
  struct Contender {
    const Candidate* candidate;
    int runs;
    double time;  // of one run
  };
  std::vector<Candidate> all;
  std::vector<Contender> contenders;
  ChosenEngine chosen;
  device_->set_up([&] {
    all = with_plans(call);
    // Once each, before any clock runs: this loads kernels and allocates temporaries.
    std::vector<std::vector<float>> expected;
    for (const Candidate& candidate : all) {
      for (const Tensor& output : call.outputs) device_->spoil(output);  // so that what is left unwritten shows
      if (&candidate == &all.front()) {
        candidate.run();
        for (const Tensor& output : call.outputs) expected.push_back(device_->read(output));
      } else if (!attempt(call.operation, candidate)) {
        continue;
      } else if (const auto difference = difference_of_outputs(call, expected)) {
        notice("engine " + candidate.engine + " is left out for '" + call.operation + "': " + *difference);
        chosen.different.push_back(candidate.engine);
        failed_[call.operation].insert(candidate.engine);
        continue;
      }
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
  chosen.engine = std::min_element(contenders.begin(), contenders.end(),
                                   [](const Contender& a, const Contender& b) { return a.time < b.time; })
                      ->candidate->engine;
  return chosen;
}

/// The call's candidates, each that has plans replaced by these.
std::vector<Candidate> EngineChoice::with_plans(const Call& call) {
  std::vector<Candidate> all;
  for (const Candidate& candidate : call.candidates) {
    if (!candidate.plans) {
      all.push_back(candidate);
      continue;
    }
    std::vector<std::string> plans;
    const auto list_them = [&] {
      plans = candidate.plans();
      return true;
    };
    attempt(call.operation, {candidate.engine, list_them});
    for (const std::string& plan : plans) {
      const Candidate one = by_plan(candidate, plan);
      if (!has_failed(call.operation, one)) all.push_back(one);
    }
  }
  return all;
}

bool EngineChoice::has_failed(const std::string& operation, const Candidate& candidate) const {
  const auto failed = failed_.find(operation);
  return failed != failed_.end() && failed->second.count(candidate.engine) != 0;
}

/// Where the outputs that are there now differ from those expected, in words.
std::optional<std::string> EngineChoice::difference_of_outputs(const Call& call,
                                                               const std::vector<std::vector<float>>& expected) {
  for (size_t i = 0; i < call.outputs.size(); ++i)
    if (auto found = difference(expected[i], device_->read(call.outputs[i]), call.exactness)) return found;
  return std::nullopt;
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
