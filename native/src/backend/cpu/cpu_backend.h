// The CPU backend: oneDNN for convolutions and matrix products, loops of our own, compiled for several
// vector extensions, for everything between them. Parameters are float32, activations float32 or bfloat16.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace layerwise {

/// Throws Error(invalid_argument) for a number of threads, precision or engine that it does not have, and
/// Error(device_unavailable) if OpenMP does not provide the threads that are asked for.
std::unique_ptr<Backend> make_cpu_backend(const DeviceOptions& options);

/// Whether precision bf16 can be asked for: as far as this processor and ONEDNN_MAX_CPU_ISA allow.
bool cpu_supports_bfloat16();

/// Those of "avx2 fma avx512f avx512bw avx512_bf16 amx_bf16" that this processor has, in that order,
/// separated by spaces.
std::string cpu_features();

}  // namespace layerwise
