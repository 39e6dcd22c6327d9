// The backends that are held to the table of operation cases.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace layerwise::test {

struct BackendUnderTest {
  std::string name;  // letters, digits and underscores
  std::function<std::unique_ptr<Backend>()> make;
};
inline void PrintTo(const BackendUnderTest& one, std::ostream* stream) { *stream << one.name; }

const std::vector<BackendUnderTest>& backends_under_test();

/// Those of the many-tile cases: kernels on a device with 132 multiprocessors, and on the GPU of this machine.
const std::vector<BackendUnderTest>& backends_with_large_tiles();

/// Those of the cases in eights: the CUDA engines that are this project's.
const std::vector<BackendUnderTest>& backends_for_eights();

}  // namespace layerwise::test
