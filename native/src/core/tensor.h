// Shapes and views of device memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace layerwise {

enum class DataType { float64, float32, bfloat16, int32, uint8 };

constexpr size_t size_of(DataType type) {
  switch (type) {
    case DataType::float64: return 8;
    case DataType::float32: return 4;
    case DataType::bfloat16: return 2;
    case DataType::int32: return 4;
    case DataType::uint8: return 1;
  }
  return 0;
}

/// The extent of a channels-last array: element (n, h, w, c) lies at ((n·H + h)·W + w)·C + c.
/// A vector of C values is (1, 1, 1, C); a matrix of N rows is (N, 1, 1, C).
struct Shape {
  int64_t n = 0, h = 0, w = 0, c = 0;

  static Shape vector(int64_t c) { return {1, 1, 1, c}; }
  static Shape matrix(int64_t n, int64_t c) { return {n, 1, 1, c}; }

  int64_t positions() const { return h * w; }                // per sample
  int64_t features() const { return h * w * c; }             // per sample
  int64_t elements() const { return n * h * w * c; }
  bool operator==(const Shape& o) const { return n == o.n && h == o.h && w == o.w && c == o.c; }
  bool operator!=(const Shape& o) const { return !(*this == o); }

  /// As many of these samples.
  Shape of_samples(int64_t samples) const { return {samples, h, w, c}; }

  /// As users write it: "128×64×32×32" (samples, channels, height, width).
  std::string to_string() const;
};

/// A view: where the elements are, what they are and how many. It owns nothing; an empty one (data
/// null) stands for "absent" wherever an operation has an optional operand.
struct Tensor {
  void* data = nullptr;
  DataType type = DataType::float32;
  Shape shape;

  explicit operator bool() const { return data != nullptr; }
  size_t bytes() const { return static_cast<size_t>(shape.elements()) * size_of(type); }

  /// The elements as T. The caller has checked `type`.
  template <class T>
  T* as() const { return static_cast<T*>(data); }

  /// The same elements seen under another shape of as many elements.
  Tensor reshaped(const Shape& other) const { return {data, type, other}; }

  /// `count` samples from `first` on; absent where the tensor is.
  Tensor samples(int64_t first, int64_t count) const {
    if (data == nullptr) return {};
    const int64_t before = first * shape.features() * static_cast<int64_t>(size_of(type));
    return {static_cast<char*>(data) + before, type, shape.of_samples(count)};
  }
};

}  // namespace layerwise
