package dev.layerwise.data.download;

import dev.layerwise.LayerwiseException;

/** A download, or the unpacking of one, that failed for good: another try right now would not help. */
public final class DownloadException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  DownloadException(String message) {
    super(message);
  }

  DownloadException(String message, Throwable cause) {
    super(message, cause);
  }
}
