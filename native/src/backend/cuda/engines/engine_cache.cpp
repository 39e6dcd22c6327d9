#include "backend/cuda/engines/engine_cache.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

#include "backend/cuda/engines/engine_plans.h"
#include "core/error.h"

namespace layerwise::cuda {

namespace {

constexpr size_t longest_line = 4096;
constexpr size_t longest_text = size_t{1} << 20;

bool is_operation(const std::string& text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  for (const unsigned char c : text)
    if (std::islower(c) == 0 && std::isdigit(c) == 0 && c != ' ' && c != '_') return false;
  return true;
}

constexpr size_t longest_name = 16;
constexpr const char* different_from = " (different: ";

/// "engine" or "engine:plan".
bool is_engine(const std::string& text) {
  const EngineAndPlan named = split_choice(text);
  if (name_of(named) != text || (!named.plan.empty() && !is_plan_name(named.plan))) return false;
  return !named.engine.empty() && named.engine.size() <= longest_name &&
         std::all_of(named.engine.begin(), named.engine.end(), [](unsigned char c) { return std::islower(c) != 0; });
}

/// "engine" or "engine (different: engine, engine)".
std::optional<ChosenEngine> parse_chosen_engine(const std::string& text) {
  ChosenEngine chosen;
  const size_t bracket = text.find(different_from);
  chosen.engine = text.substr(0, bracket);
  if (!is_engine(chosen.engine)) return std::nullopt;
  if (bracket == std::string::npos) return chosen;
  if (text.back() != ')') return std::nullopt;
  size_t begin = bracket + std::strlen(different_from);
  while (begin < text.size()) {
    const size_t end = std::min(text.find(", ", begin), text.size() - 1);
    chosen.different.push_back(text.substr(begin, end - begin));
    if (!is_engine(chosen.different.back())) return std::nullopt;
    begin = end + 2;
  }
  return chosen.different.empty() ? std::nullopt : std::optional<ChosenEngine>(chosen);
}

}  // namespace

std::string to_text(const EngineChoices& choices) {
  std::string text;
  for (const auto& [operation, chosen] : choices) {
    text += operation + " = " + chosen.engine;
    for (size_t i = 0; i < chosen.different.size(); ++i) text += (i == 0 ? different_from : ", ") + chosen.different[i];
    text += chosen.different.empty() ? "\n" : ")\n";
  }
  return text;
}

EngineChoices parse_engine_choices(const std::string& text) {
  require(text.size() <= longest_text, "choices of engines are ", text.size(), " bytes long; at most ", longest_text,
          " are read");
  EngineChoices choices;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const size_t equals = line.find(" = ");
    std::optional<ChosenEngine> chosen;
    if (line.size() <= longest_line && equals != std::string::npos && is_operation(line.substr(0, equals)))
      chosen = parse_chosen_engine(line.substr(equals + 3));
    require(chosen.has_value(), "line ", number, " of the choices of engines is not 'operation shapes = engine'");
    require(choices.emplace(line.substr(0, equals), *chosen).second, "line ", number,
            " of the choices of engines repeats an operation");
  }
  return choices;
}

std::filesystem::path EngineCache::file_of(const std::string& device) {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  std::filesystem::path folder;
  if (cache != nullptr && cache[0] == '/') {
    folder = cache;
  } else if (home != nullptr && home[0] == '/') {
    folder = std::filesystem::path(home) / ".cache";
  } else {
    return {};
  }
  std::string name;
  for (const unsigned char c : device) {
    const bool is_kept = std::isalnum(c) != 0 || c == '.' || c == '-';
    name += is_kept ? static_cast<char>(c) : '_';
  }
  return folder / "layerwise" / "engines" / (name + ".txt");
}

EngineChoices EngineCache::load() const {
  std::ifstream in(file_, std::ios::binary);
  std::string text(longest_text + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  try {
    return parse_engine_choices(text);
  } catch (const Error&) {
    return {};
  }
}

void EngineCache::store(const std::string& operation, const ChosenEngine& chosen) const {
  EngineChoices all = load();
  all[operation] = chosen;
  std::error_code failed;
  std::filesystem::create_directories(file_.parent_path(), failed);
  std::filesystem::path part = file_;
  part += "." + std::to_string(getpid()) + ".part";
  {
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    out << to_text(all);
    out.close();
    if (!out) failed = std::make_error_code(std::errc::io_error);
  }
  if (!failed) std::filesystem::rename(part, file_, failed);
  if (failed) std::filesystem::remove(part, failed);
}

}  // namespace layerwise::cuda
