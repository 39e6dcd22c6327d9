// The operands of one operation under test, in the memory of one backend.
//
// - Inputs are multiples of a power of two in a small range, hence the same numbers in float32 and
//   float64, and activations and weights in bfloat16 as well where that is asked for; they depend on the
//   seed, on that and on the order of the calls only, not on the backend.
// - Outputs start as NaN, so that an element that was not written fails every comparison.
// - Every operand lies between guard bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace layerwise::test {

/// How far an output may be from the reference:
///
///   ‖error‖₂ ≤ (2 · ε · √terms + roundings · ε_A / 2) · max(‖reference‖₂, scale · √elements),
///
/// ε being that of the backend's type of parameters P, in which sums are accumulated, and ε_A that of a
/// narrower type of activations A, otherwise 0: what is stored as A on the way is rounded by ε_A / 2 at most.
///
/// Adding `terms` numbers of random sign one after the other rounds each partial sum, which is of size
/// √k after k of them, by ε/2 at most: together, as errors are independent, 0.35 · ε · √terms times the
/// sum. The factor of six over that leaves room for what a backend may do besides: transforms of
/// Winograd F(2×2, 3×3) (about 3), inputs that are themselves rounded results, and sums that cancel.
/// terms counts the additions on the longest path through the operation. terms = 0: exactly equal, but for
/// roundings.
struct Tolerance {
  double terms = 1;
  double scale = 0;  // natural size of an element where the reference may be 0 by cancellation
  double roundings = 4;  // to A, on the longest path; 0 for what must be as exact as parameters
};

class Operands {
 public:
  /// The backend outlives the operands. `activations`: the type in which activations and weights must be
  /// exact numbers, that of the backend under test.
  Operands(Backend& backend, uint64_t seed, DataType activations);
  ~Operands();
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  Backend& backend() { return backend_; }
  /// Whether the backend under test keeps activations in a narrower type than parameters.
  bool narrow() const { return activations_ == DataType::bfloat16; }

  // Inputs. Values are low + k · (high − low) / 2²⁰, 2⁶ for what is exact in bfloat16; give bounds of few binary digits.
  Tensor activation(const Shape& shape, double low = -1, double high = 1);
  Tensor parameter(const Shape& shape, double low = -1, double high = 1);
  Tensor integers(int64_t count, int64_t below);  // int32 vector
  Tensor bytes(const Shape& shape);               // uint8
  /// Parameters (count, classes), as mixed images have them: rows of two classes' shares, or of one's, which add up to 1.
  Tensor mixed_targets(int64_t count, int64_t classes);
  /// Activations as a nonlinearity leaves them: ≤ 0 about half of the time, then 0 for slope 0. They are
  /// multiples of 1/8, so that zeros and equal neighbours, for which rules exist, occur.
  Tensor hidden(const Shape& shape, double negative_slope);
  /// Weights that keep the size of activations: the bound is a power of two near √(3 / inputs).
  Tensor weight(const Shape& shape);
  /// An activation that the operation may destroy.
  Tensor consumed(const Shape& shape);
  /// As `parameter`, with every third element 0.
  Tensor parameter_with_zeros(const Shape& shape, double low, double high);

  // Outputs, compared by name.
  Tensor output(const std::string& name, DataType type, const Shape& shape, Tolerance tolerance);
  Tensor activation_output(const std::string& name, const Shape& shape, Tolerance tolerance);
  Tensor parameter_output(const std::string& name, const Shape& shape, Tolerance tolerance);
  /// A parameter that the operation changes, and an activation, in [−1, 1], that it does.
  Tensor updated(const std::string& name, const Shape& shape, double low, double high, Tolerance tolerance);
  Tensor updated_activation(const std::string& name, const Shape& shape, Tolerance tolerance);
  /// Metrics that already hold something; losses may differ by the tolerance, counts may not.
  Metrics* metrics(Tolerance tolerance);
  double* counter(double value);

  struct Result {
    std::string name;
    std::vector<double> values;
    Tolerance tolerance;
  };
  /// All outputs, and one line for each operand whose guards, or whose contents though it is an input,
  /// were written to.
  std::vector<Result> results() const;
  std::vector<std::string> violations() const;

 private:
  enum class Role { input, consumed, output };
  struct Operand {
    std::string name;
    Role role;
    Tensor tensor;
    Tolerance tolerance;
    char* guarded;                   // the allocation: guard, contents, guard
    std::vector<char> host;          // what it held before the operation
  };

  Tensor place(const std::string& name, Role role, DataType type, const Shape& shape,
               const std::vector<double>& values, Tolerance tolerance);
  Tensor place_bytes(const std::string& name, Role role, const Tensor& described,
                     const std::vector<char>& contents, Tolerance tolerance);
  std::vector<double> draw(int64_t count, double low, double high, int bits);
  int activation_bits() const;
  std::vector<char> read_guarded(const Operand& operand) const;

  Backend& backend_;
  RandomKey key_;
  DataType activations_;
  uint64_t drawn_ = 0;
  std::vector<Operand> operands_;
};

}  // namespace layerwise::test
