// What a user should know although the work goes on.
#pragma once

#include <cstdio>
#include <string>

namespace layerwise {

/// One line on stderr.
inline void notice(const std::string& text) { std::fprintf(stderr, "layerwise: %s\n", text.c_str()); }

}  // namespace layerwise
