// A stand-in for cuDNN: its backend API with the checks that cuDNN documents, and engines that are plain loops. Tests say
// which engines there are and what is wrong with them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/engines/cudnn_graph.h"

namespace layerwise::cuda_on_host {

struct CudnnStandIn {
  enum class Arithmetic {
    exact,           // sums in double, rounded once
    tensor_float32,  // factors of float32 are rounded to it first
    wrong            // NaN: for what must not be executed
  };
  struct Engine {
    std::vector<int> notes;  // cudnnBackendNumericalNote_t, or others
    Arithmetic arithmetic = Arithmetic::exact;
    int64_t workspace_bytes = 0;
    int64_t knob_values = 0;  // of its knob 2: 0 and so on; none where it has no knob
    cuda::cudnnStatus_t plan_status = cuda::CUDNN_STATUS_SUCCESS, execution_status = cuda::CUDNN_STATUS_SUCCESS;
    std::function<void(int64_t knob)> before = {};  // each execution: to take time
  };
  struct Graph {
    cuda::ConvolutionProduct::Kind kind;
    cuda::cudnnDataType_t factors, result;
    bool has_bias;
  };

  /// Numbered from 0. At first: 0 plain loops; 1 not deterministic; 2 on tensor cores, with a workspace and a knob;
  /// 3 that is never finalized; 4 that wants 2 GiB; 5 that converts factors; 6 Winograd's method; 7 with sums of reduced
  /// precision; 8 with a note that nobody knows. Those from 1 on that must not be taken compute NaN.
  std::vector<Engine> engines;
  /// Configurations as text, "eng2_k2=1".
  std::vector<std::string> mode_a, fallback;
  std::function<bool(const Graph& graph)> supports = [](const Graph&) { return true; };

  std::vector<std::string> executed;    // configurations, in turn
  std::vector<std::string> plans_made;  // those that were finalized

  CudnnStandIn();
};

inline CudnnStandIn cudnn_stand_in;

cuda::CudnnFunctions cudnn_stand_in_functions();

/// How many descriptors have been created and not been destroyed.
int64_t live_cudnn_descriptors();

}  // namespace layerwise::cuda_on_host
