package dev.layerwise.model;

import dev.layerwise.LayerwiseException;

/** A network that cannot be built as described, or weights that do not fit it. */
public final class ModelException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  /** @param message one sentence: what, where, what to do */
  public ModelException(String message) {
    super(message);
  }
}
