// Between host arrays in PyTorch's order and device tensors in ours.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"

namespace layerwise {

/// Copies the elements of a float tensor to the host, channels first: (N, C, H, W) for activations,
/// (O, I, KH, KW) for weights; for vectors and matrices the order is the same in both.
/// Value is float or double; the device's own type is converted.
template <class Value>
void download(Backend& backend, const Tensor& from, Value* to);

/// The other direction.
template <class Value>
void upload(Backend& backend, const Value* from, const Tensor& to);

template <class Value>
std::vector<Value> download(Backend& backend, const Tensor& from) {
  std::vector<Value> values(static_cast<size_t>(from.shape.elements()));
  download(backend, from, values.data());
  return values;
}

/// Labels on the device, with the bound their values were checked against on the way there.
struct Labels {
  Tensor values;      // int32 vector (N), or of mixed images P (N, limit): the share of each class; absent: there are none
  int64_t limit = 0;  // all labels are below

  bool are_mixed() const { return values && values.type != DataType::int32; }
  /// Either the numbers or the shares; the other is absent.
  Tensor numbers() const { return are_mixed() ? Tensor() : values; }
  Tensor shares() const { return are_mixed() ? values : Tensor(); }
};

/// Labels copied to the device; throws Error(invalid_argument) for a negative one. The limit is one
/// above the largest.
Labels upload_labels(Backend& backend, const int32_t* labels, int64_t count, const Tensor& to);

}  // namespace layerwise
