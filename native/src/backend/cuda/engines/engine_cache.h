// Choices of engines as text, and as a file that later runs on the same device find.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace layerwise::cuda {

/// The engine that does an operation, and those that were tried and computed something else. Each is "engine", or
/// "engine:plan" where it is one of the engine's plans (engine_plans.h).
struct ChosenEngine {
  std::string engine;
  std::vector<std::string> different;
};

/// Operation with shapes → engine.
using EngineChoices = std::map<std::string, ChosenEngine>;

/// A line for each: "operation shapes = engine", or "operation shapes = engine (different: engine, engine)".
std::string to_text(const EngineChoices& choices);

/// The reverse, of text that anyone may have written: Error(invalid_argument) where a line is not of that form or says
/// again what another has said. Engines are words of small letters; whether there is one of that name, and whether it has
/// the plan, shows when it is to do something.
EngineChoices parse_engine_choices(const std::string& text);

/// Choices on disk. What cannot be read or written, or is damaged, costs no more than timing again.
class EngineCache {
 public:
  explicit EngineCache(std::filesystem::path file) : file_(std::move(file)) {}

  /// The file of a device: $XDG_CACHE_HOME, or ~/.cache, then layerwise/engines/ and the name, of which only
  /// letters, digits, dots and dashes are kept. Without a home there is none: an empty path.
  static std::filesystem::path file_of(const std::string& device);

  EngineChoices load() const;

  /// Adds a choice to those that the file holds by now. The file is replaced at once, never half written.
  void store(const std::string& operation, const ChosenEngine& chosen) const;

 private:
  std::filesystem::path file_;
};

}  // namespace layerwise::cuda
