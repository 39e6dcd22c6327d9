// Pooling and dropout, forward and backward. The backward functions add to d_h.
#pragma once

#include "backend/backend.h"

namespace layerwise {
namespace reference {

/// pooled ← average_pool(h).
void average_pool(const AveragePooling& pooling, const Tensor& h, const Tensor& pooled);

/// d_h ← d_h + average-unpool(d_pooled).
void add_average_unpool(const AveragePooling& pooling, const Tensor& d_pooled, const Tensor& d_h);

/// output ← max_pool(dropout(h)); without max_pool only the dropout.
void drop_and_pool(const Dropout& dropout, const StepState& state, bool max_pool, const Tensor& h,
                   const Tensor& output);

/// d_h ← d_h + dropout'(max-unpool(d_output)), h being what drop_and_pool was given.
void add_drop_and_unpool(const Dropout& dropout, const StepState& state, bool max_pool, const Tensor& h,
                         const Tensor& d_output, const Tensor& d_h);

}  // namespace reference
}  // namespace layerwise
