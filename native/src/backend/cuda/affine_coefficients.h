// The coefficients with which prologues make gradients (convolution.h, OutputGradient).
#pragma once

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

/// dz of z where features are standard deviations over positions: (N, 1, C, 2).
ArenaTensor deviation_coefficients(const Device& device, const HiddenGradient& op);

/// dy of g and y through batch norm: (C, 3).
ArenaTensor batch_norm_coefficients(const Device& device, const EncoderGradient& op);

}  // namespace layerwise::cuda
