package dev.layerwise.recipe;

import java.util.List;

/** What several runs with different seeds say together. */
public final class Statistics {
  private Statistics() {}

  /** The mean; NaN of nothing. */
  public static double mean(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).sum() / values.size();
  }

  /** Standard deviation (n − 1 in the denominator); {@code null} of fewer than two values. */
  public static Double standardDeviation(List<Double> values) {
    if (values.size() < 2) {
      return null;
    }
    double mean = mean(values);
    double squares = values.stream().mapToDouble(value -> (value - mean) * (value - mean)).sum();
    return Math.sqrt(squares / (values.size() - 1));
  }
}
