// Any backend, with a clock around every operation.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace layerwise {

/// Does what `backend` does, waits for the device before and after every operation, and adds up the time.
/// Steps are not recorded. Times of a device that works on its own include the start of the work.
class ProfiledBackend : public Backend {
 public:
  /// Lines "operation TAB shapes TAB calls TAB seconds TAB fastest TAB flops TAB bytes": of all calls with equal
  /// shapes together, but for `fastest`, the seconds of the quickest call; flops and bytes are those of one call:
  /// multiplications and additions of convolutions and matrix products, and bytes that must be moved if everything is
  /// read and written once.
  virtual std::string profile() const = 0;
};

std::unique_ptr<ProfiledBackend> make_profiled_backend(std::unique_ptr<Backend> backend);

}  // namespace layerwise
