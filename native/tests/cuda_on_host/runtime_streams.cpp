// Streams, events and captured graphs.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "cuda_on_host/runtime_state.h"

struct CUevent_st {
  std::chrono::steady_clock::time_point time;
};

namespace layerwise::cuda_on_host {

namespace {

std::mutex streams_mutex;
std::vector<cudaStream_t> streams;
std::atomic<size_t> nodes_of_last{0};
std::atomic<int64_t> passed_milliseconds{0};

void run_nodes(const std::vector<std::function<void()>>& nodes) {
  for (const auto& node : nodes) node();
}

}  // namespace

size_t nodes_of_last_graph() { return nodes_of_last; }

void pass_time(std::chrono::milliseconds time) { passed_milliseconds += time.count(); }

cudaError_t submit(cudaStream_t stream, std::function<void()> work) {
  if (sticky_error() != cudaSuccess) return sticky_error();
  if (stream == nullptr || !stream->captures) {
    work();
    return cudaSuccess;
  }
  if (stream->invalidated) return report(cudaErrorStreamCaptureInvalidated);
  stream->recorded.nodes.push_back(std::move(work));
  return cudaSuccess;
}

cudaError_t forbidden_in_capture() {
  const std::lock_guard<std::mutex> lock(streams_mutex);
  cudaError_t error = cudaSuccess;
  for (cudaStream_t stream : streams) {
    if (!stream->captures || stream->mode == cudaStreamCaptureModeRelaxed) continue;
    if (stream->mode == cudaStreamCaptureModeThreadLocal && stream->capturing != std::this_thread::get_id()) continue;
    stream->invalidated = true;
    error = report(cudaErrorStreamCaptureUnsupported);
  }
  return error;
}

}  // namespace layerwise::cuda_on_host

using namespace layerwise::cuda_on_host;

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard<std::mutex> lock(streams_mutex);
  streams.push_back(std::make_unique<CUstream_st>().release());
  *stream = streams.back();
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard<std::mutex> lock(streams_mutex);
  const auto found = std::find(streams.begin(), streams.end(), stream);
  if (found == streams.end()) return report(cudaErrorInvalidResourceHandle);
  const std::unique_ptr<CUstream_st> owned(*found);
  streams.erase(found);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (sticky_error() != cudaSuccess) return sticky_error();
  if (const cudaError_t error = wanted_failure("cudaStreamSynchronize")) return error;
  if (stream == nullptr || !stream->captures) return cudaSuccess;
  stream->invalidated = true;
  return report(cudaErrorStreamCaptureUnsupported);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  if (sticky_error() != cudaSuccess) return sticky_error();
  if (stream == nullptr || !stream->captures) return cudaSuccess;
  stream->invalidated = true;
  return report(cudaErrorStreamCaptureUnsupported);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return sticky_error(); }

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = std::make_unique<CUevent_st>().release();
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::unique_ptr<CUevent_st> owned(event);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return submit(stream, [event] {
    event->time = std::chrono::steady_clock::now() + std::chrono::milliseconds(passed_milliseconds);
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t) {
  if (sticky_error() != cudaSuccess) return sticky_error();
  return forbidden_in_capture();
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (const cudaError_t error = wanted_failure("cudaStreamBeginCapture")) return error;
  if (stream == nullptr) return report(cudaErrorStreamCaptureUnsupported);
  if (stream->captures) return report(cudaErrorInvalidValue);
  const std::lock_guard<std::mutex> lock(streams_mutex);
  stream->captures = true;
  stream->capturing = std::this_thread::get_id();
  stream->invalidated = false;
  stream->mode = mode;
  stream->recorded.nodes.clear();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (stream == nullptr || !stream->captures) return report(cudaErrorInvalidValue);
  {
    const std::lock_guard<std::mutex> lock(streams_mutex);
    stream->captures = false;
  }
  if (const cudaError_t error = wanted_failure("cudaStreamEndCapture")) return error;
  if (stream->invalidated) return report(cudaErrorStreamCaptureInvalidated);
  *graph = std::make_unique<CUgraph_st>(std::move(stream->recorded)).release();
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = cudaStreamCaptureStatusNone;
  if (stream != nullptr && stream->captures)
    *status = stream->invalidated ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = nullptr;
  if (const cudaError_t error = wanted_failure("cudaGraphInstantiate")) return error;
  *executable = std::make_unique<CUgraphExec_st>(CUgraphExec_st{graph->nodes}).release();
  nodes_of_last = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (const cudaError_t error = wanted_failure("cudaGraphLaunch")) return error;
  return submit(stream, [nodes = executable->nodes] { run_nodes(nodes); });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const std::unique_ptr<CUgraph_st> owned(graph);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const std::unique_ptr<CUgraphExec_st> owned(executable);
  return cudaSuccess;
}
