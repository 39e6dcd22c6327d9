// Launchers of sums.cu.
#pragma once

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

/// sum[i] = Σ over `count` pieces of pieces[piece · elements + i], float32.
void sum_pieces(const Device& device, const Tensor& sum, const Tensor& pieces, int count);

/// first[c] = Σ pairs[row, c, 0], second[c] = Σ pairs[row, c, 1] / sqrt(variance[c] + 1e-5). `second` may be
/// absent, `variance` too: then nothing is divided.
void sum_pairs(const Device& device, const Tensor& pairs, int64_t rows, const Tensor& first, const Tensor& second,
               const Tensor& variance);

/// sums[c] = Σ over samples and positions of values[…, c].
void sum_channels(const Device& device, const Tensor& values, const Tensor& sums);

}  // namespace layerwise::cuda
