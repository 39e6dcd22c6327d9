// Launchers of rank_sums.cu: what a rank does with what all ranks have sent. float32, sums in double and in rank order.
#pragma once

#include <cstdint>

#include "backend/cuda/cuda_api.h"

namespace layerwise::cuda {

/// to[i] ← factor · Σ over ranks r of parts[r · count + i]. `to` does not overlap the parts.
void sum_ranks(cudaStream_t stream, const float* parts, int ranks, int64_t count, double factor, float* to);

/// Floats of a rank's moments as they are sent: how many values they are of, a double; means; variances; to a multiple of 2.
inline int64_t moments_width(int64_t channels) { return 2 + 2 * channels; }

/// packed ← moments of this rank's `count` values per channel.
void pack_moments(cudaStream_t stream, const float* mean, const float* variance, int64_t channels, int64_t count,
                  float* packed);

/// mean and biased variance of all ranks' values together ← `packed` of each rank, in rank order.
void merge_rank_moments(cudaStream_t stream, const float* packed, int ranks, int64_t channels, float* mean,
                        float* variance);

}  // namespace layerwise::cuda
