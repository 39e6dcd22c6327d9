package dev.layerwise.nativelib;

import dev.layerwise.LayerwiseException;

/** The device has no room for what was asked. */
public final class DeviceOutOfMemoryException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  DeviceOutOfMemoryException(String message) {
    super(message);
  }
}
