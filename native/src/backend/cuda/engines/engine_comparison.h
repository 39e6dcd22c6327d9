// Whether two engines computed the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace layerwise::cuda {

/// How exactly products are computed.
enum class Exactness {
  float32,  // factors and sums of float32
  narrow    // factors, and perhaps results, of bfloat16 or tf32
};

/// In words where `found` differs from `expected` by more than roundings explain; nothing otherwise. NaN always differs.
///
/// With r the root mean square of `expected`, an element may differ by |expected| · a + r · b. The first part is the
/// rounding of both results, to bfloat16 at half of 2⁻⁸ each. The second one is that of the sums: terms of random signs
/// that add up to r are about √K times as large together, and float32 rounds each of K partial sums to 2⁻²⁴ of that, so
/// that results of different orders are about K · 2⁻²⁴ · r apart, 2⁻⁷ r for the longest sums of a step, 2¹⁷ terms.
/// Narrow: a = 2⁻⁷, b = 2⁻⁶. Float32: a = 2⁻¹⁶, b = 2⁻¹⁰, whose sums are shorter in practice. A kernel that takes a wrong
/// operand is wrong by about r.
std::optional<std::string> difference(const std::vector<float>& expected, const std::vector<float>& found,
                                      Exactness exactness);

}  // namespace layerwise::cuda
