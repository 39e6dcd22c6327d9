package dev.layerwise.cli;

import dev.layerwise.train.SettingRules;
import java.util.List;

/** Checks of option values; what they throw is a usage error. */
final class Checks {
  /** The rules that the library shares. */
  static final SettingRules SETTINGS = SettingRules.ofOptions(message -> usage(false, message));

  private Checks() {}

  /** Wrong usage found while a command runs; {@link Main} gives it exit code 2. */
  static final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
      super(message);
    }
  }

  static void usage(boolean condition, String message) {
    if (!condition) {
      throw new UsageException(message);
    }
  }

  static void oneOf(String option, String value, List<String> known) {
    usage(
        value == null || known.contains(value),
        option + " knows no '" + value + "'; it takes one of " + String.join(", ", known));
  }

  /** NaN is in no range. */
  static void range(String option, Number value, double least, double most) {
    usage(SettingRules.isIn(value, least, most), SettingRules.notIn(option, value, least, most));
  }

  static <T> T or(T given, T fallback) {
    return given == null ? fallback : given;
  }
}
