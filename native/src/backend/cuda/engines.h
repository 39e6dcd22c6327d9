// The engines of one device.
#pragma once

#include <memory>
#include <string>

#include "backend/cuda/engine_choice.h"
#include "backend/cuda/launch_order.h"
#include "backend/cuda/vendor_engine.h"

namespace layerwise::cuda {

struct Engines {
  std::unique_ptr<VendorEngine> vendor;  // or null
  EngineChoice choice;
  bool chooses;  // by timing
  Phase phase = Phase::usual;

  /// Does an operation by the fused kernels, or by `library` ("cublas", "cudnn") where there are libraries.
  template <class Fused, class ByLibrary>
  void run(const std::string& operation, const Fused& fused, const char* library, const ByLibrary& by_library) {
    std::vector<Candidate> candidates = {{"fused", [&fused] {
                                            fused();
                                            return true;
                                          }}};
    if (vendor != nullptr)
      candidates.push_back({library, [&] {
                              launch_order.interrupt();
                              return by_library(*vendor);
                            }});
    choice.run(operation, candidates, phase);
  }
};

/// Opens what `options` ask for. `device` names the card and its driver: where choices are kept.
/// Throws Error(device_unavailable) where libraries are asked for, or were used by the run that the options'
/// choices come from, and are not there.
Engines open_engines(cudaStream_t stream, Arena& arena, const DeviceOptions& options, const std::string& device);

/// A name for the sources that kernels are made of: what was found out with others may not hold.
const char* kernel_revision();

}  // namespace layerwise::cuda
