// How far a local classifier's input is pooled.
#pragma once

#include "backend/backend.h"

namespace layerwise {

/// The average pooling that brings a map of channels·height·width features down to at most `limit`:
/// from 1×1, double the kernel's height, then, if the result is still above, its width, until
/// channels · ⌈height/k_h⌉ · ⌈width/k_w⌉ ≤ limit or k_h has reached the map's height. The padding is k/2
/// where k does not divide the dimension.
AveragePooling local_classifier_pooling(int64_t channels, int64_t height, int64_t width, int64_t limit);

}  // namespace layerwise
