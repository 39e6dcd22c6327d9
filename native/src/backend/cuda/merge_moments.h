// Launcher of merge_moments.cu.
#pragma once

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

/// How moments were taken in pieces of their rows: (samples, slots, channels) pairs of float32, mean and sum of squared
/// deviations from it. Moments per channel are those of one sample that holds all positions of the batch.
struct MomentPieceLayout {
  int64_t samples, slots, channels;
  int64_t positions;      // rows of a sample
  int64_t rows_per_piece;
  bool begin_with_samples;  // each sample's first row begins a piece; otherwise pieces follow each other over all samples
};

/// mean, spread (samples, channels) ← the merged moments: the unbiased standard deviation (0 of a single row), or the biased
/// variance. `bias`, per channel, is added to the mean; it may be absent.
void merge_moments(const Device& device, const MomentPieceLayout& layout, const Tensor& pieces, const Tensor& bias,
                   bool deviations, const Tensor& mean, const Tensor& spread);

}  // namespace layerwise::cuda
