// The backend that the others are compared with: the formulas of operations.h as plain loops in double,
// on one thread.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace layerwise {

/// Activations and parameters are float64; device memory is host memory.
std::unique_ptr<Backend> make_reference_backend();

}  // namespace layerwise
