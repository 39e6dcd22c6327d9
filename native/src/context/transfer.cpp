#include "context/transfer.h"

#include <algorithm>
#include <type_traits>

#include "core/bfloat16.h"
#include "core/error.h"

namespace layerwise {

namespace {

/// Calls visit(index channels last, index channels first) for every element.
template <class Visit>
void for_each_element(const Shape& shape, const Visit& visit) {
  size_t channels_last = 0;
  for (int64_t n = 0; n < shape.n; ++n)
    for (int64_t position = 0; position < shape.positions(); ++position)
      for (int64_t c = 0; c < shape.c; ++c)
        visit(channels_last++, static_cast<size_t>((n * shape.c + c) * shape.positions() + position));
}

template <class Value, class Device>
Value from_device(Device value) {
  return static_cast<Value>(value);
}
template <class Value>
Value from_device(Bfloat16 value) {
  return static_cast<Value>(to_float(value));
}

template <class Device, class Value>
Device to_device(Value value) {
  if constexpr (std::is_same_v<Device, Bfloat16>)
    return to_bfloat16(static_cast<float>(value));
  else
    return static_cast<Device>(value);
}

template <class Device, class Value>
void download_as(Backend& backend, const Tensor& from, Value* to) {
  const Device* elements = from.as<Device>();
  std::vector<Device> staging;
  if (!backend.uses_host_memory()) {
    staging.resize(static_cast<size_t>(from.shape.elements()));
    backend.copy_to_host(staging.data(), from.data, from.bytes());
    elements = staging.data();
  }
  for_each_element(from.shape, [&](size_t last, size_t first) { to[first] = from_device<Value>(elements[last]); });
}

template <class Device, class Value>
void upload_as(Backend& backend, const Value* from, const Tensor& to) {
  const auto convert = [&](Device* elements) {
    for_each_element(to.shape, [&](size_t last, size_t first) { elements[last] = to_device<Device>(from[first]); });
  };
  if (backend.uses_host_memory()) return convert(to.as<Device>());
  std::vector<Device> staging(static_cast<size_t>(to.shape.elements()));
  convert(staging.data());
  backend.copy_to_device(to.data, staging.data(), to.bytes());
}

}  // namespace

template <class Value>
void download(Backend& backend, const Tensor& from, Value* to) {
  switch (from.type) {
    case DataType::float64: return download_as<double>(backend, from, to);
    case DataType::float32: return download_as<float>(backend, from, to);
    case DataType::bfloat16: return download_as<Bfloat16>(backend, from, to);
    case DataType::int32: return download_as<int32_t>(backend, from, to);
    case DataType::uint8: break;  // data sets only, which never come back
  }
  fail(ErrorKind::internal, "download of a type that is not downloaded");
}

template <class Value>
void upload(Backend& backend, const Value* from, const Tensor& to) {
  switch (to.type) {
    case DataType::float64: return upload_as<double>(backend, from, to);
    case DataType::float32: return upload_as<float>(backend, from, to);
    case DataType::bfloat16: return upload_as<Bfloat16>(backend, from, to);
    case DataType::int32: return upload_as<int32_t>(backend, from, to);
    case DataType::uint8: break;  // a data set's pixels, which are copied as they are
  }
  fail(ErrorKind::internal, "upload of a type that is not uploaded");
}

Labels upload_labels(Backend& backend, const int32_t* labels, int64_t count, const Tensor& to) {
  for (int64_t i = 0; i < count; ++i) require(labels[i] >= 0, "label ", labels[i], " of sample ", i, " is negative");
  upload(backend, labels, to);
  return {to, static_cast<int64_t>(*std::max_element(labels, labels + count)) + 1};
}

template void download(Backend&, const Tensor&, float*);
template void download(Backend&, const Tensor&, double*);
template void upload(Backend&, const float*, const Tensor&);
template void upload(Backend&, const double*, const Tensor&);
template void upload(Backend&, const int32_t*, const Tensor&);

}  // namespace layerwise
