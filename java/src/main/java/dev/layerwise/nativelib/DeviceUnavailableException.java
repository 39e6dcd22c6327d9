package dev.layerwise.nativelib;

import dev.layerwise.LayerwiseException;

/** There is no such device here, or the library that drives it does not load. */
public class DeviceUnavailableException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  DeviceUnavailableException(String message) {
    super(message);
  }

  DeviceUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
