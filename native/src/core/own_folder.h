// Where the optional libraries lie.
#pragma once

#include <filesystem>

namespace layerwise {

/// The folder of the library, or the executable, that this function was linked into.
std::filesystem::path own_folder();

}  // namespace layerwise
