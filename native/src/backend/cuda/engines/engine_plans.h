// Plans: the ways in which an engine can do one operation, where it has several. A choice of engine that names a plan
// too is written "engine:plan".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/cuda/engines/engine_choice.h"

namespace layerwise::cuda {

struct EngineAndPlan {
  std::string engine;
  std::string plan;  // empty: which one is up to the engine
};

/// "cudnn:eng5_k2=1" is the engine cudnn with its plan eng5_k2=1, "cudnn" the engine alone.
EngineAndPlan split_choice(const std::string& choice);

/// The reverse.
std::string name_of(const EngineAndPlan& choice);

/// Whether a plan can have that name: 1 to 192 small letters, digits, '_', '=' and '-'.
bool is_plan_name(const std::string& text);

/// The candidate with one of its plans.
Candidate by_plan(const Candidate& candidate, const std::string& plan);

/// The candidate that a choice names, which then runs the plan that it names. Nothing where no candidate is of that
/// engine, or where the engine has no plans and the choice names one.
std::optional<Candidate> find_candidate(const std::vector<Candidate>& candidates, const std::string& choice);

}  // namespace layerwise::cuda
