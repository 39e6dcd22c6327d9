// What kernels on the host fail with.
#pragma once

#include <string>

#include "cuda_on_host/execution.h"

namespace layerwise::test {

/// What `run` fails with as a KernelFailure; empty where it does not fail.
template <class Run>
std::string kernel_failure_of(const Run& run) {
  try {
    run();
  } catch (const cuda_on_host::KernelFailure& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace layerwise::test
