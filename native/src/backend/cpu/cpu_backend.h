// The CPU backend: oneDNN for convolutions and matrix products, loops of our own, compiled for several
// vector extensions, for everything between them. Parameters are float32, activations float32 or bfloat16.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace layerwise {

/// Throws Error(invalid_argument) for a number of threads, precision or engine that it does not have.
std::unique_ptr<Backend> make_cpu_backend(const DeviceOptions& options);

/// Whether precision bf16 can be asked for: as far as this processor and ONEDNN_MAX_CPU_ISA allow.
bool cpu_supports_bfloat16();

/// The number of threads that `threads` stands for: itself, or where it is 0, the number of cores on
/// which this process may run (hardware threads of one core counted once). Throws
/// Error(invalid_argument) outside 0 … 1024.
int cpu_thread_count(int threads);

/// Those of "avx2 fma avx512f avx512bw avx512_bf16 amx_bf16" that this processor has, in that order,
/// separated by spaces.
std::string cpu_features();

}  // namespace layerwise
