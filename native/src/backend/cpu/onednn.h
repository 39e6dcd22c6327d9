// What the users of oneDNN in this folder share.
#pragma once


#include "core/arena.h"
#include "core/error.h"
#include "dnnl.hpp"

namespace layerwise::cpu {

/// One CPU engine with an in-order stream.
struct OnednnEngine {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

inline dnnl::memory::data_type onednn_type_of(DataType type) {
  return type == DataType::bfloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

/// Attributes of every primitive here: the caller provides the scratchpad, the same call gives the same
/// bits each time, and float32 is multiplied as float32 (ONEDNN_DEFAULT_FPMATH_MODE could say otherwise).
inline dnnl::primitive_attr onednn_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_deterministic(true);
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return attributes;
}

/// Memory of a descriptor's size from the arena; absent where the size is 0.
inline ArenaTensor take_memory(Arena& arena, const dnnl::memory::desc& description) {
  return arena.take(DataType::uint8, Shape::vector(static_cast<int64_t>(description.get_size())));
}

/// Calls body() and turns oneDNN's exceptions into Errors that name the operation, as `describe`
/// words it.
template <class Describe, class Body>
auto with_onednn_errors(const Describe& describe, const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    const ErrorKind kind = error.status == dnnl_out_of_memory ? ErrorKind::out_of_memory : ErrorKind::internal;
    fail(kind, "oneDNN failed in ", describe(), ": ", error.message);
  }
}

}  // namespace layerwise::cpu
