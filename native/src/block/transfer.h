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

}  // namespace layerwise
