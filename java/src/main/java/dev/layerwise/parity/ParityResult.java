package dev.layerwise.parity;

/**
 * How one reference file compared.
 *
 * @param fixture the file's name without its ending
 * @param worstTensor the compared quantity that used most of its tolerance; {@code null} if skipped
 * @param relativeError its error; see {@link Comparison}
 * @param reason why it was skipped, or what failed beside a tolerance; otherwise {@code null}
 */
public record ParityResult(
    String fixture, Status status, String worstTensor, Double relativeError, String reason) {

  /** What became of a fixture. */
  public enum Status {
    PASSED,
    FAILED,
    SKIPPED
  }

  static ParityResult skipped(String fixture, String reason) {
    return new ParityResult(fixture, Status.SKIPPED, null, null, reason);
  }

  static ParityResult failed(String fixture, String reason) {
    return new ParityResult(fixture, Status.FAILED, null, null, reason);
  }
}
