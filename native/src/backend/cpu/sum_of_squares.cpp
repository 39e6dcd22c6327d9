// The squared norm of a vector.
#include <vector>

#include "backend/cpu/operations.h"
#include "backend/cpu/parallel.h"

namespace layerwise::cpu {

void sum_of_squares(Device& device, const SumOfSquares& op) {
  const Partition pieces = Partition::of(op.values.shape.elements(), elements_per_piece);
  const ArenaTensor sums = device.arena.take(DataType::float64, Shape::vector(pieces.count()));
  double* const of_pieces = sums.view().as<double>();
  const float* const values = op.values.as<float>();
  parallel_for(pieces.count(), [&](int64_t i) {
    of_pieces[i] = device.loops.sum_of_squares(values + pieces.begin(i), pieces.size(i));
  });
  double total = 0;
  for (int64_t i = 0; i < pieces.count(); ++i) total += of_pieces[i];
  *op.sum.as<float>() = static_cast<float>(total);
}

}  // namespace layerwise::cpu
