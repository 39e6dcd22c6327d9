#include "backend/cuda/engine_cache.h"

#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/error.h"

namespace layerwise::cuda {

namespace {

constexpr size_t longest_line = 256;
constexpr size_t longest_text = size_t{1} << 20;

bool is_operation(const std::string& text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  for (const unsigned char c : text)
    if (std::islower(c) == 0 && std::isdigit(c) == 0 && c != ' ' && c != '_') return false;
  return true;
}

bool is_engine(const std::string& text) { return text == "fused" || text == "cublas" || text == "cudnn"; }

}  // namespace

std::string to_text(const EngineChoices& choices) {
  std::string text;
  for (const auto& [operation, engine] : choices) text += operation + " = " + engine + "\n";
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
    const bool well_formed = line.size() <= longest_line && equals != std::string::npos &&
                             is_operation(line.substr(0, equals)) && is_engine(line.substr(equals + 3));
    require(well_formed, "line ", number, " of the choices of engines is not 'operation shapes = engine', the engine "
            "being fused, cublas or cudnn");
    require(choices.emplace(line.substr(0, equals), line.substr(equals + 3)).second, "line ", number,
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

void EngineCache::store(const std::string& operation, const std::string& engine) const {
  EngineChoices all = load();
  all[operation] = engine;
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
