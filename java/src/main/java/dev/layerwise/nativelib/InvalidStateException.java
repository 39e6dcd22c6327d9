package dev.layerwise.nativelib;

import dev.layerwise.LayerwiseException;

/** A call in the wrong order, or on something that is closed. */
public final class InvalidStateException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  InvalidStateException(String message) {
    super(message);
  }
}
