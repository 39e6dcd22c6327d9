// The sum of two tensors.
#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

void add_tensor(Device& device, const AddTensor& op) {
  with_storage(op.sum.type, [&](auto a) {
    using A = decltype(a);
    parallel_ranges(op.sum.shape.elements(), [&](int64_t begin, int64_t end) {
      device.loops.of<A>().add(op.addend.as<A>() + begin, end - begin, op.sum.as<A>() + begin);
    });
  });
}

}  // namespace layerwise::cpu
