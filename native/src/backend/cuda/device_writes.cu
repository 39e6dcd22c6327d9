// Values that the host writes into device memory as arguments of kernels: they are copied when the kernel
// is launched or recorded, and nothing of the host must outlive the call.
#include <algorithm>
#include <cstring>

#include "backend/cuda/device_code.h"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

namespace {

constexpr int piece_bytes = 2048;  // a kernel's arguments are limited to 4 KiB

struct Piece {
  unsigned char bytes[piece_bytes];
};

}  // namespace

/// One thread.
__global__ void write_step_state_kernel(StepState* step, StepState state) {
  begin_kernel();
  *step = state;
}

/// A thread per byte, in steps of the block.
__global__ void write_bytes_kernel(unsigned char* to, Piece piece, int count) {
  begin_kernel();
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) to[i] = piece.bytes[i];
}

void write_step_state(cudaStream_t stream, StepState* step, const StepState& state) {
  LAYERWISE_LAUNCH(write_step_state_kernel, 1, 1, 0, stream, step, state);
}

void write_bytes(cudaStream_t stream, void* device, const void* host, size_t bytes) {
  for (size_t offset = 0; offset < bytes; offset += piece_bytes) {
    const size_t count = std::min<size_t>(piece_bytes, bytes - offset);
    Piece piece{};
    std::memcpy(piece.bytes, static_cast<const unsigned char*>(host) + offset, count);
    LAYERWISE_LAUNCH(write_bytes_kernel, 1, 256, 0, stream, static_cast<unsigned char*>(device) + offset, piece,
                     static_cast<int>(count));
  }
}

}  // namespace layerwise::cuda
