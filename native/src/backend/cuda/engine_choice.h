// Which implementation of an operation is taken, where a device has several: the fastest, found out by timing on
// the operands of a step. The choice decides bits, so it is written down and can be given.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/cuda/engine_cache.h"
#include "core/error.h"

namespace layerwise::cuda {

/// One way of doing an operation.
struct Candidate {
  std::string engine;  // "fused", "cublas" or "cudnn"
  /// Gives the work to the device: true. False, with nothing done that matters, where the engine does not do it.
  /// Outputs are overwritten, inputs kept: it can be repeated.
  std::function<bool()> run;
};

/// The device on which candidates are tried.
class TrialDevice {
 public:
  virtual ~TrialDevice() = default;

  /// Calls `trials`. Temporaries that candidates take meanwhile are allocated at most once for each size, and leave
  /// no trace in what steps hold afterwards.
  virtual void set_up(const std::function<void()>& trials) = 0;

  /// Milliseconds that `runs` times the work take on the device.
  virtual double milliseconds(const std::function<void()>& work, int runs) = 0;

  /// Waits for the device. False: it has failed for good, and nothing works any more.
  virtual bool works() = 0;
};

/// When an operation runs.
enum class Phase {
  warming_up,  // one of a run's first steps, in which memory finds its size
  usual,
  recording    // nothing runs, a step is being noted
};

class EngineChoice {
 public:
  /// `engine` says what is taken: "auto" what was given, else what the cache holds, else the fastest;
  /// "fused" the first candidate; "cudnn" another than the first wherever one does the operation.
  EngineChoice(std::string engine, EngineChoices given, std::optional<EngineCache> cache,
               std::unique_ptr<TrialDevice> device);

  /// Does an operation. The first candidate is there always and never returns false.
  ///
  /// "auto": while warming up the first is taken, whatever was chosen by earlier runs, so that runs with the same
  /// choices give the same bits. An operation that is first met while a step is recorded keeps the first. An engine
  /// that fails is left out, with a line on stderr, unless the device has failed with it. Throws
  /// Error(device_unavailable) where the engine that was given for this operation is not there or fails.
  void run(const std::string& operation, const std::vector<Candidate>& candidates, Phase phase);

  /// What was given and what has been found out; nothing unless the engine is "auto".
  const EngineChoices& choices() const { return choices_; }

 private:
  void run_fastest(const std::string& operation, std::vector<Candidate> candidates, Phase phase);
  const std::string& choose(const std::string& operation, const std::vector<Candidate>& candidates, Phase phase);
  std::string fastest(const std::string& operation, const std::vector<Candidate>& candidates);
  bool attempt(const std::string& operation, const Candidate& candidate);

  const std::string engine_;
  EngineChoices given_, choices_, cached_;
  std::map<std::string, std::set<std::string>> failed_;  // operation → engines
  const std::optional<EngineCache> cache_;
  const std::unique_ptr<TrialDevice> device_;
};

}  // namespace layerwise::cuda
