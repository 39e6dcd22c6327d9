// What NVIDIA's libraries do for the backend: matrix products (cuBLAS) and convolutions (cuDNN). How operations
// are put together from these is in library_engines.cpp.
#pragma once

#include <memory>
#include <string>

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

class VendorEngine {
 public:
  virtual ~VendorEngine() = default;

  /// The libraries' versions, in a few words: choices made with others may not be the best.
  virtual std::string versions() const = 0;

  virtual void multiply(const MatrixProduct& product) = 0;

  // Convolutions; all operands are of one type, float32 or bfloat16. False: the library does not do this one, or
  // only with more scratch memory than it is given, and nothing has been done.

  /// y = W ∗ x (+ bias (O))
  virtual bool convolve(const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Tensor& y) = 0;
  virtual bool convolve_weight_gradient(const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                                        const Tensor& d_weight) = 0;
  virtual bool convolve_data_gradient(const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                                      const Tensor& d_x) = 0;
};

/// The engine, or why there is none: libraries that are missing, or that fail to start.
struct OpenedVendorEngine {
  std::unique_ptr<VendorEngine> engine;
  std::string missing;  // a sentence without its full stop
};

/// Opens the libraries where they can be found. Work is given to `stream`, scratch memory comes from the arena.
/// `engine` is what the user asked for. Products of float32 are exact in their factors but where
/// `tensor_float32` allows otherwise. Results repeat, bit for bit.
OpenedVendorEngine open_vendor_engine(cudaStream_t stream, Arena& arena, bool tensor_float32,
                                      const std::string& engine);

}  // namespace layerwise::cuda
