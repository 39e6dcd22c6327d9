// A stand-in for NCCL: ranks are threads of one process, and every call is checked. Tests say what goes wrong.
#pragma once

#include <functional>

#include "backend/cuda/collectives/nccl_api.h"

namespace layerwise::cuda_on_host {

struct NcclStandIn {
  int version = 22903;
  bool connects = true;  // false: the start stays in progress for ever
  /// What a function returns instead of doing its work; ncclSuccess: it does it. Called with its name.
  std::function<cuda::ncclResult_t(const char* function)> result;
};

/// Set before threads start.
inline NcclStandIn nccl_stand_in;

/// Communicators that were neither destroyed nor aborted.
int live_nccl_communicators();

}  // namespace layerwise::cuda_on_host
