package dev.layerwise;

/** A failure that the user can act on. The message is one sentence: what, where, and what to do. */
public class LayerwiseException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * A failure that Layerwise found itself.
   *
   * @param message a sentence
   */
  public LayerwiseException(String message) {
    super(message);
  }

  /**
   * A failure that something below reported.
   *
   * @param message a sentence
   * @param cause what was reported
   */
  public LayerwiseException(String message, Throwable cause) {
    super(message, cause);
  }
}
