// Choices of engines as text, and as a file that later runs on the same device find.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace layerwise::cuda {

/// Operation with shapes → engine.
using EngineChoices = std::map<std::string, std::string>;

/// A line for each: "operation shapes = engine".
std::string to_text(const EngineChoices& choices);

/// The reverse, of text that anyone may have written: Error(invalid_argument) where a line is not of that form,
/// names an engine that does not exist, or says again what another has said.
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
  void store(const std::string& operation, const std::string& engine) const;

 private:
  std::filesystem::path file_;
};

}  // namespace layerwise::cuda
