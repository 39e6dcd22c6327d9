// Matrix products by oneDNN.
#pragma once

#include <cstdint>
#include <memory>

#include "core/arena.h"

namespace layerwise::cpu {

/// A view of a matrix, float32 or bfloat16: element (r, c) lies at r · row_stride + c · column_stride, one of
/// which is 1.
struct Matrix {
  void* data = nullptr;
  DataType type = DataType::float32;
  int64_t rows = 0, columns = 0;
  int64_t row_stride = 0, column_stride = 1;

  Matrix transposed() const { return {data, type, columns, rows, column_stride, row_stride}; }
};

/// The elements of a tensor, row after row.
inline Matrix matrix_of(const Tensor& tensor, int64_t rows, int64_t columns) {
  return {tensor.data, tensor.type, rows, columns, columns, 1};
}

/// Keeps the primitives it has made, one per shape; temporaries come from the arena.
class OnednnGemm {
 public:
  explicit OnednnGemm(Arena& arena);
  ~OnednnGemm();
  OnednnGemm(const OnednnGemm&) = delete;
  OnednnGemm& operator=(const OnednnGemm&) = delete;

  /// c = a · b (+ bias, one value per column; null: none), summed in float32. a and b are of one type, c of that or
  /// float32. Throws Error(internal) naming the shapes.
  void multiply(const Matrix& a, const Matrix& b, const float* bias, const Matrix& c);

 private:
  struct Primitives;
  Arena& arena_;
  std::unique_ptr<Primitives> primitives_;
};

}  // namespace layerwise::cpu
