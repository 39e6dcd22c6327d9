package dev.layerwise.settings;

import static dev.layerwise.settings.SettingsException.require;

import java.util.List;

/** What values may be. A value that is null was not given, and is not judged. */
public final class Rules {
  private Rules() {}

  /** Whether a value is in a closed range; NaN is in none, and null in all. */
  public static boolean isIn(Number value, double least, double most) {
    return value == null || (value.doubleValue() >= least && value.doubleValue() <= most);
  }

  /** That a value is not in a closed range. */
  public static String notIn(String name, Number value, double least, double most) {
    return name + " must be in " + plain(least) + " … " + plain(most) + ", not " + value;
  }

  private static String plain(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }

  /** Throws {@link SettingsException} for a value outside a closed range. */
  static void range(String setting, Number value, double least, double most) {
    require(isIn(value, least, most), notIn("{" + setting + "}", value, least, most));
  }

  static void positive(String setting, Double value, double most) {
    require(
        value == null || (value > 0 && value <= most),
        "{" + setting + "} must be positive (at most " + plain(most) + "), not " + value);
  }

  static void belowOne(String setting, Double value) {
    require(
        value == null || (value >= 0 && value < 1),
        "{" + setting + "} must be at least 0 and below 1, not " + value);
  }

  static void oneOf(String setting, String value, List<String> known) {
    require(
        value == null || known.contains(value),
        "{" + setting + "}: unknown value '" + value + "'; choose from " + String.join(", ", known));
  }
}
