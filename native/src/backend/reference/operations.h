// The operations of the reference backend, one function each; backend/operations.h says what they compute.
#pragma once

#include "backend/backend.h"

namespace layerwise {
namespace reference {

#define LAYERWISE_DECLARE(name, Operands) void name(const Operands& op, const StepState& state);
LAYERWISE_OPERATIONS(LAYERWISE_DECLARE)
#undef LAYERWISE_DECLARE

}  // namespace reference
}  // namespace layerwise
