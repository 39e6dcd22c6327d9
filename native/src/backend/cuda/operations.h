// The operations of backend/operations.h on CUDA devices, one pair of files each: kernels in <operation>.cuh, and in
// <operation>.cu the function below, which launches them.
#pragma once

#include "backend/backend.h"
#include "backend/cuda/cuda_api.h"
#include "core/bfloat16.h"
#include "core/error.h"

namespace layerwise::cuda {

struct Engines;  // engines.h

/// What launchers need to know. Operations give work to the stream and do not wait for it; temporaries
/// come from the arena, whose pieces are reused in the order of the stream.
struct Device {
  Arena& arena;
  cudaStream_t stream;
  const StepState* step;      // device memory: kernels read seed, step and learning rate there
  unsigned* ticket;           // device memory, 0 between kernels: for "the last block of the grid does …"
  DataType activation_type;   // float32 or bfloat16
  int multiprocessors;
  int shared_bytes;           // of one multiprocessor, its blocks together
  bool tensor_float32;        // float32 products may be rounded to tf32
  bool has_warpgroups;        // the kernels of hopper/ can run
  Engines& engines;           // who does the large products
};

#define LAYERWISE_DECLARE(name, Operands) void name(Device& device, const Operands& op);
LAYERWISE_OPERATIONS(LAYERWISE_DECLARE)
#undef LAYERWISE_DECLARE

// Not operations: parts of them, and what the backend itself runs on the device.

/// Also sets a vector of as many channels to zero, such as the gradient of a bias before batch norm.
void batch_norm_gradient(Device& device, const BatchNormGradient& op, const Tensor& zeros);

/// *step ← state, and device ← host: sources need not outlive the call, and a recording keeps their values.
/// The second is for a few kilobytes.
void write_step_state(cudaStream_t stream, StepState* step, const StepState& state);
void write_bytes(cudaStream_t stream, void* device, const void* host, size_t bytes);

/// Calls body with a null pointer of the element type of `type`, float* or Bfloat16*:
///   with_storage(op.x.type, [&](auto* typed) { using T = std::remove_pointer_t<decltype(typed)>; … });
template <class Body>
void with_storage(DataType type, const Body& body) {
  switch (type) {
    case DataType::float32: return body(static_cast<float*>(nullptr));
    case DataType::bfloat16: return body(static_cast<Bfloat16*>(nullptr));
    default: fail(ErrorKind::internal, "a CUDA kernel was given elements that are neither float32 nor bfloat16");
  }
}

/// Blocks of a grid: enough for `items` with `per_block` each, at most `most`.
inline unsigned blocks_for(int64_t items, int64_t per_block, int64_t most = 0x7FFFFFFF) {
  const int64_t blocks = (items + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks > most ? most : blocks);
}

}  // namespace layerwise::cuda
