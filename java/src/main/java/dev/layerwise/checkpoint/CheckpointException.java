package dev.layerwise.checkpoint;

import dev.layerwise.LayerwiseException;

/** A checkpoint that cannot be read or written, or does not hold what is asked of it. */
public final class CheckpointException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  /** A failure found while checking a checkpoint. */
  public CheckpointException(String message) {
    super(message);
  }

  /** A failure of the file system or of a parser. */
  public CheckpointException(String message, Throwable cause) {
    super(message, cause);
  }
}
