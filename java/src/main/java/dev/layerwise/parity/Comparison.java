package dev.layerwise.parity;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Compares what was computed with the reference values of one file, and remembers the worst.
 *
 * <p>The tolerances are those that the reference files were published with: a tensor holds when
 * ‖a − b‖₂ ≤ 1e-4·‖b‖₂ + 1e-6·√n, which is to say when the error
 * ‖a − b‖₂ / (‖b‖₂ + 1e-2·√n) is at most 1e-4; the second term covers gradients that are zero but for
 * rounding. Numbers have their own relative tolerances.
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

  private final List<Entry> entries = new ArrayList<>();

  void tensor(String name, float[] actual, float[] expected) {
    if (actual.length != expected.length) {
      entries.add(new Entry(name, Double.POSITIVE_INFINITY, TENSOR_TOLERANCE));
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
    entries.add(new Entry(name, Math.sqrt(difference) / scale, TENSOR_TOLERANCE));
  }

  /** Agreement to a relative tolerance; both zero agree. */
  void number(String name, double actual, double expected, double tolerance) {
    double error = actual == expected ? 0 : Math.abs(actual - expected) / Math.abs(expected);
    entries.add(new Entry(name, error, tolerance));
  }

  ParityResult result(String fixture) {
    Entry worst = entries.stream().max(Comparator.comparingDouble(Entry::used)).orElse(null);
    if (worst == null) {
      return ParityResult.failed(fixture, "the file holds nothing to compare");
    }
    boolean passed = worst.error() <= worst.tolerance(); // false for NaN
    return new ParityResult(
        fixture,
        passed ? ParityResult.Status.PASSED : ParityResult.Status.FAILED,
        worst.name(),
        worst.error(),
        passed ? null : String.format("%s is off by %.2e, allowed is %.0e", worst.name(), worst.error(), worst.tolerance()));
  }
}
