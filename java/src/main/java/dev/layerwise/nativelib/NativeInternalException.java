package dev.layerwise.nativelib;

import dev.layerwise.LayerwiseException;

/** A defect of the native library or of one that it calls. */
public final class NativeInternalException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  NativeInternalException(String message) {
    super(message);
  }
}
