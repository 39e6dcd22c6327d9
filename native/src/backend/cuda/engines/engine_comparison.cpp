#include "backend/cuda/engines/engine_comparison.h"

#include <cmath>
#include <sstream>

namespace layerwise::cuda {

std::optional<std::string> difference(const std::vector<float>& expected, const std::vector<float>& found,
                                      Exactness exactness) {
  double squares = 0;
  for (const float value : expected) squares += double{value} * value;
  const double rms = std::sqrt(squares / static_cast<double>(expected.empty() ? 1 : expected.size()));
  const double relative = exactness == Exactness::narrow ? 0x1p-7 : 0x1p-16;
  const double absolute = rms * (exactness == Exactness::narrow ? 0x1p-6 : 0x1p-10);
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(double{found[i]} - expected[i]);
    if (error <= std::abs(double{expected[i]}) * relative + absolute) continue;  // false for NaN
    std::ostringstream text;
    text << "its element " << i << " is " << found[i] << " where this project's kernels compute " << expected[i]
         << " (root mean square " << rms << ")";
    return text.str();
  }
  return std::nullopt;
}

}  // namespace layerwise::cuda
