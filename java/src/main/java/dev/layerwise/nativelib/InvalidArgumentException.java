package dev.layerwise.nativelib;

import dev.layerwise.LayerwiseException;

/** A request that cannot work: a shape, a name or a setting that does not fit. */
public final class InvalidArgumentException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  InvalidArgumentException(String message) {
    super(message);
  }
}
