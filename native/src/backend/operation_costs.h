// What an operation has to do at least, however it is done.
#pragma once

#include <string>

#include "backend/backend.h"

namespace layerwise {

struct OperationCosts {
  double flops = 0;     // multiplications and additions of convolutions and matrix products
  double bytes = 0;     // if every operand is read or written once
  std::string shapes;   // tells calls of one operation apart
};

#define LAYERWISE_DECLARE(name, Operands) OperationCosts costs_of(const Operands& op);
LAYERWISE_OPERATIONS(LAYERWISE_DECLARE)
#undef LAYERWISE_DECLARE

}  // namespace layerwise
