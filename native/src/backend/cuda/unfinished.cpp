// Operations that have no CUDA kernels yet.
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

namespace {

[[noreturn]] void fail_unfinished(const char* operation) {
  fail(ErrorKind::internal, "the CUDA backend has no ", operation, " yet");
}

}  // namespace

void load_batch(Device&, const LoadBatch&) { fail_unfinished("load_batch"); }
void moments_of_tensor(Device&, const MomentsOfTensor&) { fail_unfinished("moments_of_tensor"); }
void normalize_activate(Device&, const NormalizeActivate&) { fail_unfinished("normalize_activate"); }
void deviation_gradient(Device&, const DeviationGradient&) { fail_unfinished("deviation_gradient"); }
void batch_norm_gradient(Device&, const BatchNormGradient&) { fail_unfinished("batch_norm_gradient"); }
void drop_elements(Device&, const DropElements&) { fail_unfinished("drop_elements"); }

}  // namespace layerwise::cuda
