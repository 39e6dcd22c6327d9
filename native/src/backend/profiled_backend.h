// Any backend, with a clock around every operation.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/observed_backend.h"

namespace layerwise {

/// Does what `backend` does and adds up what every operation takes by the device's own clock. Nothing waits for the
/// device meanwhile: where it has fallen behind, as in steps with enough work, starting an operation costs it nothing.
/// Steps are not recorded.
class ProfiledBackend final : public ObservedBackend {
 public:
  explicit ProfiledBackend(std::unique_ptr<Backend> backend) : ObservedBackend(std::move(backend)) {}

  bool can_record() const override { return false; }

  /// Lines "operation TAB shapes TAB calls TAB seconds TAB fastest TAB flops TAB bytes": of all calls with equal
  /// shapes together, but for `fastest`, the seconds of the quickest call; flops and bytes are those of one call:
  /// multiplications and additions of convolutions and matrix products, and bytes that must be moved if everything is
  /// read and written once.
  /// Waits for the device.
  std::string profile();

 private:
  struct Total {
    int64_t calls = 0;
    double seconds = 0, fastest = std::numeric_limits<double>::infinity();
    double flops = 0, bytes = 0;  // of one call
  };

  /// An operation whose time is not known yet.
  struct Timed {
    Total* total;
    std::unique_ptr<Mark> begin, end;
  };

  void observe(const char* operation, OperationCosts costs, const std::function<void()>& run) override;
  void add_up();

  std::vector<Timed> timed_;
  std::map<std::pair<std::string, std::string>, Total> totals_;  // by operation and shapes
};

}  // namespace layerwise
