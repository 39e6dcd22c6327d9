// One step as a CUDA graph.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/cuda/runtime.h"

namespace layerwise::cuda {

class GraphRecording final : public Recording {
 public:
  /// The graph is replayed on `stream`, which outlives this.
  GraphRecording(const Graph& graph, cudaStream_t stream);
  void replay() override;

 private:
  GraphExec executable_;
  cudaStream_t stream_;
};

}  // namespace layerwise::cuda
