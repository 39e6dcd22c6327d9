#include "core/own_folder.h"

#include <dlfcn.h>

namespace layerwise {

std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return ".";
  return std::filesystem::path(info.dli_fname).parent_path();
}

}  // namespace layerwise
