package dev.layerwise.parity;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * Compares what was computed with the reference values of one file, and remembers the worst.
 *
 * <p>The tolerances are those that the reference files were published with: a tensor holds when
 * ‖a − b‖₂ ≤ 1e-4·‖b‖₂ + 1e-6·√n, which is to say when the error
 * ‖a − b‖₂ / (‖b‖₂ + 1e-2·√n) is at most 1e-4; the second term covers gradients that are zero but for
 * rounding. Numbers have their own relative tolerances.
 *
 * <p>The files were computed in float32. A device that stores activations and weights in bfloat16 rounds each of them by
 * 2⁻⁸ at most, and is held to this:
 *
 * <ul>
 *   <li>tensors: 16 roundings, 2⁻⁴: of x, W, y, h, V and z on the way to a loss, then twice each of dz, g, dy and the two
 *       parts that batch norm's backward pass subtracts from g, which may be of its size;
 *   <li>losses: the first five of those roundings;
 *   <li>losses after some steps: what the updates have changed in a loss since the first step, they may have changed by
 *       2⁻⁴ of that differently.
 * </ul>
 *
 * Counts of correct answers, which a rounding decides where two logits are close, and parameters after many steps are not
 * compared then.
 */
final class Comparison {
  private static final double TENSOR_TOLERANCE = 1e-4;
  private static final double ABSOLUTE_PART = 1e-6 / TENSOR_TOLERANCE;

  private record Entry(String name, double error, double tolerance) {
    /** NaN is worse than anything. */
    double used() {
      double used = error / tolerance;
      return Double.isNaN(used) ? Double.POSITIVE_INFINITY : used;
    }
  }

  private static final double NARROW_ROUNDING = 0x1p-8;
  private static final double NARROW_TENSOR_TOLERANCE = 16 * NARROW_ROUNDING;
  private static final double NARROW_LOSS_TOLERANCE = 5 * NARROW_ROUNDING;

  private final List<Entry> entries = new ArrayList<>();
  private final boolean narrow;
  private final double tensorTolerance;

  /** @param precision the device's: {@code f32}, {@code f64} or {@code bf16} */
  Comparison(String precision) {
    narrow = precision.equals("bf16");
    tensorTolerance = narrow ? NARROW_TENSOR_TOLERANCE : TENSOR_TOLERANCE;
  }

  /** Whether what only float32 can reproduce is left out. */
  boolean isNarrow() {
    return narrow;
  }

  void tensor(String name, float[] actual, float[] expected) {
    if (actual.length != expected.length) {
      entries.add(new Entry(name, Double.POSITIVE_INFINITY, tensorTolerance));
      return;
    }
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      double d = (double) actual[i] - expected[i];
      difference += d * d;
      norm += (double) expected[i] * expected[i];
    }
    double scale = Math.sqrt(norm) + ABSOLUTE_PART * Math.sqrt(expected.length);
    entries.add(new Entry(name, Math.sqrt(difference) / scale, tensorTolerance));
  }

  /** Agreement to a relative tolerance; both zero agree. */
  void number(String name, double actual, double expected, double tolerance) {
    double error = actual == expected ? 0 : Math.abs(actual - expected) / Math.abs(expected);
    entries.add(new Entry(name, error, tolerance));
  }

  /** A loss of the first step or of a lone block. */
  void loss(String name, double actual, double expected, double tolerance) {
    loss(name, actual, expected, expected, tolerance);
  }

  /**
   * A loss in a trajectory.
   *
   * @param first what it is expected to be in the first step
   * @param tolerance relative, where nothing is stored in bfloat16
   */
  void loss(String name, double actual, double expected, double first, double tolerance) {
    double changed = expected == 0 ? 0 : Math.abs(first / expected - 1);
    number(name, actual, expected, narrow ? NARROW_LOSS_TOLERANCE + NARROW_TENSOR_TOLERANCE * changed : tolerance);
  }

  ParityResult result(String fixture) {
    Entry worst = entries.stream().max(Comparator.comparingDouble(Entry::used)).orElse(null);
    if (worst == null) {
      return ParityResult.failed(fixture, "the file has nothing to compare");
    }
    boolean passed = worst.error() <= worst.tolerance(); // false for NaN
    return new ParityResult(
        fixture,
        passed ? ParityResult.Status.PASSED : ParityResult.Status.FAILED,
        worst.name(),
        worst.error(),
        passed ? null : String.format(Locale.ROOT, "%s is off by %.2e, allowed is %.0e", worst.name(), worst.error(), worst.tolerance()));
  }
}
