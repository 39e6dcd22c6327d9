// Any backend, with a clock around every operation.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace layerwise {

/// Does what `backend` does and adds up what every operation takes by the device's own clock. Nothing waits for the
/// device meanwhile: where it has fallen behind, as in steps with enough work, starting an operation costs it nothing.
/// Steps are not recorded.
class ProfiledBackend : public Backend {
 public:
  /// Lines "operation TAB shapes TAB calls TAB seconds TAB fastest TAB flops TAB bytes": of all calls with equal
  /// shapes together, but for `fastest`, the seconds of the quickest call; flops and bytes are those of one call:
  /// multiplications and additions of convolutions and matrix products, and bytes that must be moved if everything is
  /// read and written once.
  /// Waits for the device.
  virtual std::string profile() = 0;
};

std::unique_ptr<ProfiledBackend> make_profiled_backend(std::unique_ptr<Backend> backend);

}  // namespace layerwise
