package dev.layerwise.files;

import dev.layerwise.LayerwiseException;

/** A file that cannot be read or written, or does not hold what is asked of it. */
public final class FileException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  /** A failure found while checking a file. */
  public FileException(String message) {
    super(message);
  }

  /** A failure of the file system or of a parser. */
  public FileException(String message, Throwable cause) {
    super(message, cause);
  }
}
