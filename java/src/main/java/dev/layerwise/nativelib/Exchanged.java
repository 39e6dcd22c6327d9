package dev.layerwise.nativelib;

/**
 * What a process has exchanged with the others that train with it; all zero for a process that is alone.
 *
 * @param exchanges calls of all processes together
 * @param receivedBytes by this process, from others
 * @param seconds spent in exchanges, waiting for other processes included
 */
public record Exchanged(long exchanges, long receivedBytes, double seconds) {
  /** What was exchanged between an earlier moment and this one. */
  public Exchanged since(Exchanged earlier) {
    return new Exchanged(
        exchanges - earlier.exchanges, receivedBytes - earlier.receivedBytes, seconds - earlier.seconds);
  }
}
