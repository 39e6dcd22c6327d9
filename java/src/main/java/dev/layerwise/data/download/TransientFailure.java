package dev.layerwise.data.download;

import java.time.Duration;

/** A failure that may be over when the download is tried again. The message is a clause, to follow a colon. */
final class TransientFailure extends Exception {
  private static final long serialVersionUID = 1L;

  /** What the server asked to wait; null if it asked nothing. */
  private final transient Duration wait;

  TransientFailure(String message) {
    super(message);
    this.wait = null;
  }

  TransientFailure(String message, Duration wait) {
    super(message);
    this.wait = wait;
  }

  TransientFailure(String message, Throwable cause) {
    super(message, cause);
    this.wait = null;
  }

  Duration waitOr(Duration fallback) {
    return wait == null ? fallback : wait;
  }
}
