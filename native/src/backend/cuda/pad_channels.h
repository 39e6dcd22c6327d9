// Launchers of pad_channels.cu.
#pragma once

#include "backend/cuda/operations.h"

namespace layerwise::cuda {

/// Whether a channels-last tensor has fewer channels than 16 bytes hold.
bool has_few_channels(const Tensor& tensor);

/// Its elements with zeros behind each row's channels, up to 16 bytes.
ArenaTensor pad_channels(const Device& device, const Tensor& tensor);

}  // namespace layerwise::cuda
