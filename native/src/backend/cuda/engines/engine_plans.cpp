#include "backend/cuda/engines/engine_plans.h"

#include <algorithm>
#include <cctype>

namespace layerwise::cuda {

EngineAndPlan split_choice(const std::string& choice) {
  const size_t colon = choice.find(':');
  if (colon == std::string::npos) return {choice, {}};
  return {choice.substr(0, colon), choice.substr(colon + 1)};
}

std::string name_of(const EngineAndPlan& choice) {
  return choice.plan.empty() ? choice.engine : choice.engine + ":" + choice.plan;
}

bool is_plan_name(const std::string& text) {
  constexpr size_t longest = 192;
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_' || c == '=' || c == '-';
  });
}

Candidate by_plan(const Candidate& candidate, const std::string& plan) {
  return {name_of({candidate.engine, plan}), [run = candidate.run_plan, plan] { return run(plan); }};
}

std::optional<Candidate> find_candidate(const std::vector<Candidate>& candidates, const std::string& choice) {
  const EngineAndPlan wanted = split_choice(choice);
  const auto found = std::find_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& candidate) { return candidate.engine == wanted.engine; });
  if (found == candidates.end()) return std::nullopt;
  if (wanted.plan.empty()) return *found;
  if (!found->run_plan) return std::nullopt;
  return by_plan(*found, wanted.plan);
}

}  // namespace layerwise::cuda
