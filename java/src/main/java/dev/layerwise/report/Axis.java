package dev.layerwise.report;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * A chart's axis.
 *
 * @param low value at its beginning
 * @param high value at its end, larger than {@code low}
 * @param logarithmic whether equal ratios have equal lengths; 0 lies at the beginning then
 * @param ticks values to mark, from low to high
 * @param labels the ticks in words
 */
record Axis(double low, double high, boolean logarithmic, List<Double> ticks, List<String> labels) {
  /** From this ratio of the largest to the smallest value on, a linear axis would hide the small ones' changes. */
  private static final double LOGARITHMIC_FROM = 20;

  private static final int INTERVALS = 4;
  private static final int COUNTING_INTERVALS = 6;
  private static final int MOST_TICKS = 6;
  private static final int MOST_NUMBERS = 8;

  private Axis(double low, double high, boolean logarithmic, List<Double> ticks) {
    this(low, high, logarithmic, ticks, ticks.stream().map(Axis::label).toList());
  }

  /**
   * Hidden layers, counted from 1, and perhaps the output layer behind the last.
   *
   * @param hidden how many at most
   */
  static Axis layers(int hidden, boolean output) {
    Axis numbers = counting(1, Math.max(1, hidden));
    if (!output) {
      return numbers;
    }
    List<Double> ticks = new ArrayList<>(numbers.ticks());
    List<String> labels = new ArrayList<>(numbers.labels());
    ticks.add(hidden + 1.0);
    labels.add("output");
    return new Axis(1, hidden + 1, false, ticks, labels);
  }

  /** Epochs or layers: from the first to the last, marked at whole numbers. */
  static Axis counting(double first, double last) {
    if (last <= first) {
      return new Axis(first - 1, first + 1, false, List.of(first));
    }
    double step = last - first <= MOST_NUMBERS ? 1 : niceStep((last - first) / COUNTING_INTERVALS);
    double start = Math.ceil(first / step) * step;
    List<Double> ticks = new ArrayList<>();
    for (int i = 0; i <= MOST_NUMBERS + COUNTING_INTERVALS && start + i * step <= last; i++) { // a damaged file may have any numbers
      ticks.add(start + i * step);
    }
    return new Axis(first, last, false, ticks);
  }

  /**
   * Covers values, those aside that are not finite, of which there is one at least; linear with ends that are marked,
   * or logarithmic where the values span a wide range.
   *
   * @param fromZero whether a linear axis begins at 0
   */
  static Axis covering(double[] values, boolean fromZero) {
    double[] finite = Arrays.stream(values).filter(Double::isFinite).sorted().toArray();
    double least = finite[0];
    double most = finite[finite.length - 1];
    double leastPositive = Arrays.stream(finite).filter(value -> value > 0).findFirst().orElse(0);
    if (least >= 0 && leastPositive > 0 && most / leastPositive >= LOGARITHMIC_FROM) {
      return logarithmic(leastPositive, most, least == 0);
    }
    double from = fromZero && least > 0 ? 0 : least;
    double to = most > from ? most : from + Math.max(Math.abs(from), 1e-12);
    double step = niceStep((to - from) / INTERVALS);
    long first = (long) Math.floor(from / step);
    long last = (long) Math.ceil(to / step);
    List<Double> ticks = new ArrayList<>();
    for (long i = first; i <= last; i++) {
      ticks.add(i * step);
    }
    return new Axis(first * step, last * step, false, ticks);
  }

  private static Axis logarithmic(double least, double most, boolean withZero) {
    List<Double> all = new ArrayList<>();
    List<Double> powers = new ArrayList<>();
    for (int exponent = (int) Math.floor(Math.log10(least)); exponent <= Math.log10(most); exponent++) {
      for (int digit : new int[] {1, 2, 5}) {
        double tick = digit * Math.pow(10, exponent);
        if (tick >= least && tick <= most) {
          all.add(tick);
          if (digit == 1) {
            powers.add(tick);
          }
        }
      }
    }
    List<Double> ticks = new ArrayList<>(all.size() <= MOST_TICKS ? all : powers);
    if (withZero) {
      ticks.add(0, 0.0);
    }
    return new Axis(least / (withZero ? 2 : 1.1), most * 1.1, true, ticks);
  }

  /** The smallest of 1, 2, 5, 10, 20, … and their tenths that is not below a length. */
  private static double niceStep(double length) {
    double power = Math.pow(10, Math.floor(Math.log10(length)));
    for (int digit : new int[] {1, 2, 5}) {
      if (digit * power >= length * (1 - 1e-9)) { // a length that is such a step but for rounding
        return digit * power;
      }
    }
    return 10 * power;
  }

  /** Where a value lies, 0 at the beginning and 1 at the end. */
  double at(double value) {
    if (!logarithmic) {
      return (value - low) / (high - low);
    }
    return value == 0 ? 0 : Math.log(value / low) / Math.log(high / low);
  }

  /** A tick's value in words. */
  static String label(double tick) {
    double size = Math.abs(tick);
    if (size != 0 && (size < 1e-4 || size >= 1e6)) {
      return String.format(Locale.ROOT, "%.0e", tick);
    }
    // Twelve decimals: what a sum of steps adds to a tick by rounding is smaller.
    BigDecimal rounded = new BigDecimal(tick).setScale(12, RoundingMode.HALF_EVEN);
    return rounded.signum() == 0 ? "0" : rounded.stripTrailingZeros().toPlainString();
  }
}
