// The 16 matrix products of Winograd's convolution, by oneDNN.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "backend/cpu/onednn.h"
#include "backend/cpu/winograd_loops.h"

namespace layerwise::cpu {

/// Elements from one plane to the next for matrices of so many elements: a cache line more, since planes
/// whose distance is a large power of two would compete for the same few lines of the nearest cache.
template <class T>
constexpr int64_t plane_stride(int64_t elements) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  return (elements + line - 1) / line * line + line;
}

template <class T>
constexpr dnnl::memory::data_type onednn_type = dnnl::memory::data_type::f32;
template <>
inline constexpr dnnl::memory::data_type onednn_type<Bfloat16> = dnnl::memory::data_type::bf16;

/// oneDNN's objects for 16 products of one shape; several threads may execute it at once.
class WinogradProduct {
 public:
  WinogradProduct() = default;
  explicit WinogradProduct(const dnnl::matmul::primitive_desc& description);


  const dnnl::memory::desc& right() const { return right_; }
  dnnl::memory::desc scratchpad() const { return scratchpad_; }

  /// result (+)= left · right, plane by plane, with the primitive's number of threads.
  void execute(const dnnl::engine& engine, dnnl::stream& stream, const void* left, const void* right, float* result,
               void* scratch) const;

 private:
  dnnl::matmul primitive_;
  dnnl::memory::desc left_, right_, result_, scratchpad_;
};

/// Makes products, and the reorders that pack their right operands, and keeps them by their shapes. Not thread-safe.
class WinogradProducts {
 public:
  const dnnl::engine& engine() const { return onednn_.engine; }
  dnnl::stream& stream() { return onednn_.stream; }

  /// (tiles × depth) · (depth × outputs) on one thread, for execution by any thread: the planes of the left
  /// and the result are plane_stride of them apart, rows contiguous, the right is in right()'s layout.
  template <class A>
  const WinogradProduct& tiles_times_weights(int64_t tiles, int64_t depth, int64_t outputs);

  /// d (outputs × inputs) = [d +] Σ over tiles of d_yᵀ · x, on all threads.
  template <class A>
  const WinogradProduct& weight_gradient(int64_t tiles, int64_t outputs, int64_t inputs, int64_t full_tiles,
                                         bool accumulates);

  /// The planes `from` (as described by strides) in the layout that a product wants of its right operand.
  void pack(Arena& arena, const dnnl::memory::desc& from, const void* data, const dnnl::memory::desc& to,
            void* packed);

 private:
  struct Reorder {
    dnnl::memory::desc from, to, scratchpad;
    dnnl::reorder primitive;
  };
  const Reorder& find_reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to);

  using Key = std::array<int64_t, 7>;
  template <class Make>
  const WinogradProduct& find(const Key& key, const Make& make);

  OnednnEngine onednn_;
  std::map<Key, WinogradProduct> products_;
  std::vector<Reorder> reorders_;  // a few per shape
};

}  // namespace layerwise::cpu
