package dev.layerwise;

/** A failure that the user can act on. The message is one sentence: what, where, and what to do. */
public class LayerwiseException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A failure that Layerwise found itself. */
  public LayerwiseException(String message) {
    super(message);
  }

  /** A failure that something below reported. */
  public LayerwiseException(String message, Throwable cause) {
    super(message, cause);
  }
}
