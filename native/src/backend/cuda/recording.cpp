#include "backend/cuda/recording.h"

#include "backend/cuda/launch_order.h"

namespace layerwise::cuda {

GraphRecording::GraphRecording(const Graph& graph, cudaStream_t stream) : stream_(stream) {
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph.get(), 0), "preparing a recorded step");
  executable_.reset(executable);
}

void GraphRecording::replay() {
  check(cudaGraphLaunch(executable_.get(), stream_), "replaying a recorded step");
  launch_order.interrupt();
}

}  // namespace layerwise::cuda
