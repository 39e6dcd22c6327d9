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

#include "backend/cuda/engines/engine_cache.h"
#include "backend/cuda/engines/engine_comparison.h"
#include "core/error.h"
#include "core/tensor.h"

namespace layerwise::cuda {

/// One way of doing an operation.
struct Candidate {
  std::string engine;  // or "engine:plan", where it is one of the engine's plans
  /// Gives the work to the device: true. False, with nothing done that matters, where the engine does not do it.
  /// Outputs are overwritten, inputs kept: it can be repeated.
  std::function<bool()> run;

  // Of an engine that has several plans for an operation (engine_plans.h), otherwise empty.
  std::function<std::vector<std::string>()> plans = {};         // names of those worth timing
  std::function<bool(const std::string& plan)> run_plan = {};  // as `run`; false also where there is no such plan
};

/// The device on which candidates are tried.
class TrialDevice {
 public:
  virtual ~TrialDevice() = default;

  /// Calls `trials`. Temporaries that candidates take meanwhile are allocated at most once for each size, and leave
  /// no trace in what steps hold afterwards.
  virtual void set_up(const std::function<void()>& trials) = 0;

  /// Fills a tensor with NaN.
  virtual void spoil(const Tensor& tensor) = 0;

  /// The values of a tensor on the device.
  virtual std::vector<float> read(const Tensor& tensor) = 0;

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
  /// `automatic`: what was given is taken, else what the cache holds, else the fastest. Otherwise the last candidate that
  /// does the operation is taken.
  EngineChoice(bool automatic, EngineChoices given, std::optional<EngineCache> cache,
               std::unique_ptr<TrialDevice> device);

  /// Does an operation, which computes `outputs`. The first candidate is there always and never returns false.
  ///
  /// Before times are compared, results are, each written over NaN: a candidate whose outputs differ from the first one's
  /// by more than roundings explain (engine_comparison.h) is left out, with a line on stderr and a note in the choice. An
  /// engine that has plans takes part with each of them, and the choice names one.
  ///
  /// Automatic: while warming up the first is taken, whatever was chosen by earlier runs, so that runs with the same
  /// choices give the same bits. An operation that is first met while a step is recorded keeps the first. An engine or
  /// plan that fails is left out, with a line on stderr, unless the device has failed with it. Throws
  /// Error(device_unavailable) where the engine or plan that was given for this operation is not there or fails.
  void run(const std::string& operation, const std::vector<Candidate>& candidates, const std::vector<Tensor>& outputs,
           Exactness exactness, Phase phase);

  /// What was given and what has been found out; nothing unless choices are automatic.
  const EngineChoices& choices() const { return choices_; }

 private:
  /// An operation with the candidates that have not failed at it.
  struct Call {
    const std::string& operation;
    std::vector<Candidate> candidates;
    const std::vector<Tensor>& outputs;
    Exactness exactness;
    Phase phase;
  };

  void run_fastest(Call call);
  const ChosenEngine& choose(const Call& call);
  ChosenEngine fastest(const Call& call);
  std::vector<Candidate> with_plans(const Call& call);
  bool has_failed(const std::string& operation, const Candidate& candidate) const;
  bool attempt(const std::string& operation, const Candidate& candidate);
  std::optional<std::string> difference_of_outputs(const Call& call, const std::vector<std::vector<float>>& expected);

  const bool automatic_;
  EngineChoices given_, choices_, cached_;
  std::map<std::string, std::set<std::string>> failed_;  // operation → engines, and plans
  const std::optional<EngineCache> cache_;
  const std::unique_ptr<TrialDevice> device_;
};

}  // namespace layerwise::cuda
