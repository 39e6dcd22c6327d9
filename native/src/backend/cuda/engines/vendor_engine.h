// What NVIDIA's libraries do for the backend: matrix products (cuBLAS) and convolutions (cuDNN). How operations
// are put together from these is in library_engines.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

/// c = a · b, all row-major: c (rows × columns), a (rows × depth), b (depth × columns); a factor that is
/// transposed is stored the other way round.
struct MatrixProduct {
  int64_t rows, columns, depth;
  const void *a, *b;
  bool a_transposed, b_transposed;
  DataType factors;  // float32 or bfloat16
  Tensor c;          // of the factors' type, or float32
};

/// A convolution or one of its gradients. x is the map that the convolution reads, y the one that it writes, or the
/// gradients there. What is computed is overwritten; it is of the two operands' type, float32 or bfloat16, or float32.
struct ConvolutionProduct {
  enum class Kind {
    convolution,      // y = W ∗ x (+ bias)
    weight_gradient,  // weight = the gradient of the weights
    data_gradient     // x = Wᵀ ∗ y
  };
  Kind kind = Kind::convolution;
  Convolution geometry;
  Tensor x, weight, y;
  Tensor bias = {};  // (O), float32; or absent
};

class VendorEngine {
 public:
  virtual ~VendorEngine() = default;

  /// The libraries' versions, in a few words: choices made with others may not be the best.
  virtual std::string versions() const = 0;

  virtual void multiply(const MatrixProduct& product) = 0;

  /// Does it by the plan of that name, or by the one that the library likes best where the name is empty. False, and
  /// nothing has been done: the library has no such plan, or none that keeps the promises of open_vendor_engine, or only
  /// with more scratch memory than it is given.
  virtual bool convolve(const ConvolutionProduct& product, const std::string& plan) = 0;

  /// Names of the plans that are worth timing, the one that the library likes best first, for a product without its data
  /// or one at these addresses. They are of the form that is_plan_name (engine_plans.h) asks for; with the same library on
  /// the same card a name stands for the same bits.
  virtual std::vector<std::string> plans(const ConvolutionProduct& product) = 0;
};

/// The engine, or why there is none: libraries that are missing, or that fail to start.
struct OpenedVendorEngine {
  std::unique_ptr<VendorEngine> engine;
  std::string missing;  // a sentence without its full stop
};

/// Opens the libraries where they can be found. Work is given to `stream`, scratch memory comes from the arena.
/// `engine` is what the user asked for. Products of float32 are exact in their factors but where
/// `tensor_float32` allows otherwise; sums are of float32. Results repeat, bit for bit.
OpenedVendorEngine open_vendor_engine(cudaStream_t stream, Arena& arena, bool tensor_float32,
                                      const std::string& engine);

/// Whether the time that work takes tells which engine is fast: not on an emulator, unless a test wants it so.
bool times_count();

}  // namespace layerwise::cuda
