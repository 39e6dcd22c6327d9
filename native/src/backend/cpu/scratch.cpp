// The scratch that operations cut from the arena.
#include "backend/cpu/operations.h"

namespace layerwise::cpu {

namespace {

int64_t whole_cache_lines(int64_t elements, int64_t element_bytes) {
  const int64_t per_line = 64 / element_bytes;
  return (elements + per_line - 1) / per_line * per_line;
}

}  // namespace

ArenaTensor take_floats(Device& device, int64_t count, int64_t length) {
  return device.arena.take(DataType::float32, Shape::matrix(count, whole_cache_lines(length, 4)));
}

ArenaTensor take_doubles(Device& device, int64_t count, int64_t length) {
  return device.arena.take(DataType::float64, Shape::matrix(count, whole_cache_lines(length, 8)));
}

}  // namespace layerwise::cpu
