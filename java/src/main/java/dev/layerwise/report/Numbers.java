package dev.layerwise.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** How the page writes numbers. */
final class Numbers {
  private static final String NONE = "–";

  private Numbers() {}

  /** An error in percent, to hundredths, without its sign; a dash for {@code null}. */
  static String percent(Double value) {
    return value == null ? NONE : fixed(value, 2);
  }

  /** To four significant digits; a dash for {@code null}. */
  static String loss(Double value) {
    if (value == null) {
      return NONE;
    }
    if (!Double.isFinite(value)) {
      return value.toString();
    }
    BigDecimal rounded = new BigDecimal(value).round(new MathContext(4));
    boolean readable = value == 0 || Math.abs(value) >= 1e-5 && Math.abs(value) < 1e7;
    return readable ? rounded.toPlainString() : String.format(Locale.ROOT, "%.3e", value);
  }

  /** A whole number with groups of three digits, such as 12 345. */
  static String count(double value) {
    return Double.isFinite(value) ? String.format(Locale.ROOT, "%,d", Math.round(value)).replace(',', '\u202F') : NONE;
  }

  /** 12.3 s, 4 min 05 s, 2 h 07 min. */
  static String duration(double seconds) {
    if (!Double.isFinite(seconds)) {
      return NONE;
    }
    if (seconds < 60) {
      return fixed(seconds, 1) + " s";
    }
    long whole = Math.round(seconds);
    return whole < 3600
        ? String.format(Locale.ROOT, "%d min %02d s", whole / 60, whole % 60)
        : String.format(Locale.ROOT, "%d h %02d min", whole / 3600, whole % 3600 / 60);
  }

  static String fixed(double value, int digits) {
    return String.format(Locale.ROOT, "%." + digits + "f", value);
  }
}
