// Reading and writing tensors of doubles by index.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/tensor.h"

namespace layerwise {
namespace reference {

/// The elements of a float64 tensor, by sample, row, column and channel; a weight's by output channel,
/// row, column and input channel; a matrix's by row and column; or any by their position in memory.
class Elements {
 public:
  explicit Elements(const Tensor& tensor) : data_(tensor.as<double>()), shape_(tensor.shape) {}

  double& operator()(int64_t n, int64_t h, int64_t w, int64_t c) const { return data_[offset(n, h, w) + c]; }
  double& operator()(int64_t row, int64_t column) const { return data_[row * shape_.features() + column]; }
  double& operator[](int64_t i) const { return data_[i]; }

  void fill(double value) const { std::fill(data_, data_ + shape_.elements(), value); }

 private:
  int64_t offset(int64_t n, int64_t h, int64_t w) const {
    return ((n * shape_.h + h) * shape_.w + w) * shape_.c;
  }

  double* data_;
  Shape shape_;
};

/// Calls visit(n, h, w, c) for every element, in memory order.
template <class Visit>
void for_each_element(const Shape& shape, Visit visit) {
  for (int64_t n = 0; n < shape.n; ++n)
    for (int64_t h = 0; h < shape.h; ++h)
      for (int64_t w = 0; w < shape.w; ++w)
        for (int64_t c = 0; c < shape.c; ++c) visit(n, h, w, c);
}

}  // namespace reference
}  // namespace layerwise
