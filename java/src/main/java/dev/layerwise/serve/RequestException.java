package dev.layerwise.serve;

/** A request that is not answered as asked: the message says why in a sentence. */
final class RequestException extends Exception {
  private static final long serialVersionUID = 1L;

  private final int status;

  /** @param status of HTTP, 400 or more */
  RequestException(int status, String message) {
    super(message);
    this.status = status;
  }

  int status() {
    return status;
  }
}
