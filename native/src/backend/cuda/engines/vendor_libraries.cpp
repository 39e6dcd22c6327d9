#include "backend/cuda/engines/vendor_libraries.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "core/error.h"

namespace layerwise::cuda {

namespace {

namespace fs = std::filesystem;

/// Subfolders, sorted; none where there is no such folder.
std::vector<fs::path> subfolders(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    std::error_code unreadable;
    if (entry->is_directory(unreadable)) found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void add_environment(std::vector<fs::path>& folders, const char* variable, const char* below = "") {
  const char* const value = std::getenv(variable);
  if (value != nullptr && value[0] == '/') folders.push_back(fs::path(value) / below);
}

}  // namespace

std::vector<fs::path> python_prefixes() {
  std::vector<fs::path> prefixes;
  add_environment(prefixes, "VIRTUAL_ENV");
  add_environment(prefixes, "CONDA_PREFIX");
  add_environment(prefixes, "HOME", ".local");
  prefixes.insert(prefixes.end(), {"/usr/local", "/usr"});
  return prefixes;
}

std::vector<fs::path> library_folders(const std::vector<fs::path>& prefixes) {
  std::vector<fs::path> roots;
  add_environment(roots, "CUDA_HOME");
  add_environment(roots, "CUDA_PATH");
  roots.emplace_back("/usr/local/cuda");
  std::vector<fs::path> folders;
  for (const fs::path& root : roots) folders.push_back(root / "lib64");
  for (const fs::path& prefix : prefixes)
    for (const fs::path& python : subfolders(prefix / "lib"))
      if (python.filename().string().rfind("python3", 0) == 0)
        for (const char* packages : {"site-packages", "dist-packages"})
          for (const fs::path& package : subfolders(python / packages / "nvidia")) folders.push_back(package / "lib");
  return folders;
}

VendorLibrary::VendorLibrary(const std::string& file, const char* advice) : file_(file) {
  constexpr int flags = RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE;
  handle_ = dlopen(file.c_str(), flags);
  if (handle_ != nullptr) return;
  std::string reason = dlerror();
  for (const fs::path& folder : library_folders(python_prefixes())) {
    const fs::path path = folder / file;
    std::error_code unreadable;
    if (!fs::exists(path, unreadable)) continue;
    handle_ = dlopen(path.c_str(), flags);
    if (handle_ != nullptr) return;
    reason = dlerror();
  }
  fail(ErrorKind::device_unavailable, file, " does not load (", reason, "); ", advice);
}

void* VendorLibrary::address(const char* symbol) const {
  void* const found = dlsym(handle_, symbol);
  if (found == nullptr)
    fail(ErrorKind::device_unavailable, file_, " has no function ", symbol, "; install a newer one");
  return found;
}

}  // namespace layerwise::cuda
