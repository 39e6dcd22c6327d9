// Which implementation of an operation is taken, where a device has several: the fastest, found out by timing on
// the operands of the first step. The choice decides bits, so it is written down and can be given.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/cuda/engine_cache.h"

namespace layerwise::cuda {

/// One way of doing an operation.
struct Candidate {
  std::string engine;  // "fused", "cublas" or "cudnn"
  /// Gives the work to the device: true. False, with nothing done that matters, where the engine does not do it.
  /// Outputs are overwritten, inputs kept: it can be repeated.
  std::function<bool()> run;
};

class EngineChoice {
 public:
  /// Milliseconds that a piece of work takes on the device.
  using Timer = std::function<double(const std::function<void()>& work)>;

  /// `engine` says what is taken: "auto" what was given, else what the cache holds, else the fastest;
  /// "fused" the first candidate; "cudnn" another than the first wherever one does the operation.
  EngineChoice(std::string engine, EngineChoices given, std::optional<EngineCache> cache, Timer timer);

  /// Does an operation. The first candidate is there always and never returns false. Without `may_time` (while
  /// a step is being recorded, nothing runs) an operation that was never done before takes the first.
  /// Throws Error(device_unavailable) where the engine that was given for this operation is not there.
  void run(const std::string& operation, const std::vector<Candidate>& candidates, bool may_time);

  /// What was given and what has been found out; nothing unless the engine is "auto".
  const EngineChoices& choices() const { return choices_; }

 private:
  const std::string& choose(const std::string& operation, const std::vector<Candidate>& candidates, bool may_time);
  std::string fastest(const std::vector<Candidate>& candidates) const;

  const std::string engine_;
  EngineChoices choices_;
  EngineChoices cached_;
  const std::optional<EngineCache> cache_;
  const Timer timer_;
};

}  // namespace layerwise::cuda
