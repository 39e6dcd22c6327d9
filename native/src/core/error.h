// Errors of the native core. Everything below the C API throws Error; api/ turns it into a status.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace layerwise {

/// What went wrong, in the terms of the C API's status codes (see layerwise.h).
enum class ErrorKind {
  invalid_argument,    // the caller passed something that cannot work
  invalid_state,       // a call in the wrong order, or on a closed context
  out_of_memory,       // the device has no room for the request
  device_unavailable,  // the named device does not exist here, or its library does not load
  internal             // a defect of this library or of one it calls
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws an Error whose message is the parts streamed one after the other.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(kind, message.str());
}

/// Throws ErrorKind::invalid_argument unless the condition holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) fail(ErrorKind::invalid_argument, parts...);
}

/// Throws ErrorKind::invalid_state unless the condition holds.
template <class... Parts>
void require_state(bool condition, const Parts&... parts) {
  if (!condition) fail(ErrorKind::invalid_state, parts...);
}

}  // namespace layerwise
