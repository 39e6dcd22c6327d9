package dev.layerwise.data;

import dev.layerwise.LayerwiseException;

/** A data set that is missing, damaged or not what its name says. */
public final class DataException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  /** A failure that Layerwise found itself. */
  public DataException(String message) {
    super(message);
  }

  /** A failure that something below reported. */
  public DataException(String message, Throwable cause) {
    super(message, cause);
  }
}
