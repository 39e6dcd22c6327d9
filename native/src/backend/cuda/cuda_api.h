// CUDA's runtime API, for host code: NVIDIA's, or that of the host runtime in tests/cuda_on_host.
#pragma once

#ifdef LAYERWISE_CUDA_ON_HOST
#include "cuda_on_host/runtime_api.h"
#else
#include <cuda_runtime_api.h>
#endif
