package dev.layerwise.sweep;

import dev.layerwise.settings.SettingsException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The values of one option: a list, or a distribution from which they are drawn.
 *
 * @param option without its dashes
 * @param list the values; empty for a distribution
 * @param distribution {@code null} for a list
 */
record OptionValues(String option, List<String> list, Distribution distribution) {
  private static final Pattern ASSIGNMENT = Pattern.compile("([A-Za-z][A-Za-z0-9_-]*)=(.+)", Pattern.DOTALL);
  private static final String NUMBER = "([-+]?[0-9.]+(?:[eE][-+]?[0-9]{1,3})?)";
  private static final Pattern RANGE = Pattern.compile(NUMBER + ":" + NUMBER + ":" + NUMBER);
  private static final Pattern LOG_RANGE = Pattern.compile("log:" + NUMBER + ":" + NUMBER + ":(\\d{1,4})");
  private static final Pattern DRAWN = Pattern.compile("(log|uniform|int):" + NUMBER + ":" + NUMBER);
  private static final int MOST = 10_000;
  private static final MathContext DIGITS = new MathContext(4);

  /** What is drawn: one value from each call. */
  interface Distribution {
    String draw(Random random);
  }

  /**
   * Reads {@code NAME=V1,V2,…}, {@code NAME=FROM:TO:STEP} or {@code NAME=log:FROM:TO:COUNT}; in place of commas, semicolons
   * separate values that have commas in them.
   *
   * @throws SettingsException if it is none of these
   */
  static OptionValues grid(String text) {
    Matcher parts = parts("grid", text);
    require(!DRAWN.matcher(parts.group(2)).matches(), "grid", text, "has no number of values; give one, or take --random");
    return new OptionValues(name(parts), list("grid", text, parts.group(2)), null);
  }

  /**
   * Reads {@code NAME=log:FROM:TO}, {@code NAME=uniform:FROM:TO} or {@code NAME=int:FROM:TO}, or a list as in a grid, of which
   * each value is as likely.
   *
   * @throws SettingsException if it is none of these
   */
  static OptionValues random(String text) {
    Matcher parts = parts("random", text);
    Matcher drawn = DRAWN.matcher(parts.group(2));
    if (!drawn.matches()) {
      List<String> list = list("random", text, parts.group(2));
      return new OptionValues(name(parts), List.of(), random -> list.get(random.nextInt(list.size())));
    }
    BigDecimal from = number("random", text, drawn.group(2));
    BigDecimal to = number("random", text, drawn.group(3));
    require(from.compareTo(to) < 0, "random", text, "goes from a number to one that is not larger");
    return new OptionValues(
        name(parts), List.of(),
        switch (drawn.group(1)) {
          case "log" -> {
            require(from.signum() > 0, "random", text, "must begin above 0 to be drawn by its logarithm");
            double low = Math.log(from.doubleValue());
            double high = Math.log(to.doubleValue());
            yield random -> rounded(Math.exp(low + (high - low) * random.nextDouble()));
          }
          case "uniform" -> {
            double low = from.doubleValue();
            double high = to.doubleValue();
            yield random -> rounded(low + (high - low) * random.nextDouble());
          }
          default -> {
            int low = whole(text, from);
            int count = whole(text, to) - low + 1;
            require(count > 0, "random", text, "goes too far");
            yield random -> Integer.toString(low + random.nextInt(count));
          }
        });
  }

  private static Matcher parts(String how, String text) {
    Matcher parts = ASSIGNMENT.matcher(text);
    require(parts.matches(), how, text, "is not of the form NAME=VALUES, such as lr=1e-3,2e-3");
    return parts;
  }

  private static String name(Matcher parts) {
    return parts.group(1).replace('_', '-');
  }

  private static List<String> list(String how, String text, String values) {
    Matcher range = RANGE.matcher(values);
    Matcher logs = LOG_RANGE.matcher(values);
    List<String> list = range.matches() ? steps(how, text, range) : logs.matches() ? logarithmic(how, text, logs)
        : Stream.of(values.split(values.contains(";") ? ";" : ",")).map(String::strip).toList();
    require(!list.isEmpty() && list.stream().noneMatch(String::isEmpty), how, text, "has an empty value");
    return List.copyOf(new LinkedHashSet<>(list));
  }

  private static List<String> steps(String how, String text, Matcher range) {
    BigDecimal from = number(how, text, range.group(1));
    BigDecimal to = number(how, text, range.group(2));
    BigDecimal step = number(how, text, range.group(3));
    require(step.signum() > 0 && from.compareTo(to) <= 0, how, text, "is read as FROM:TO:STEP, which must rise");
    List<String> values = new ArrayList<>();
    for (BigDecimal value = from; value.compareTo(to) <= 0; value = value.add(step)) {
      require(values.size() < MOST, how, text, "has more than " + MOST + " values");
      values.add(plain(value));
    }
    return values;
  }

  private static List<String> logarithmic(String how, String text, Matcher range) {
    double from = number(how, text, range.group(1)).doubleValue();
    double to = number(how, text, range.group(2)).doubleValue();
    int count = Integer.parseInt(range.group(3));
    require(from > 0 && from < to && count > 1, how, text, "is read as log:FROM:TO:COUNT, with 0 < FROM < TO and two values or more");
    return Stream.iterate(0, i -> i + 1).limit(count)
        .map(i -> rounded(from * Math.pow(to / from, i / (count - 1.0))))
        .toList();
  }

  private static BigDecimal number(String how, String text, String digits) {
    try {
      return new BigDecimal(digits);
    } catch (NumberFormatException e) {
      throw new SettingsException("{" + how + "} " + text + ": '" + digits + "' is not a number");
    }
  }

  private static int whole(String text, BigDecimal value) {
    try {
      return value.intValueExact();
    } catch (ArithmeticException e) {
      throw new SettingsException("{random} " + text + ": " + value + " is not a whole number");
    }
  }

  /** To four significant digits, so that it can be read and typed. */
  private static String rounded(double value) {
    return plain(new BigDecimal(value).round(DIGITS));
  }

  private static String plain(BigDecimal value) {
    BigDecimal stripped = value.stripTrailingZeros();
    return stripped.scale() <= 7 ? stripped.toPlainString() : stripped.toString();
  }

  private static void require(boolean condition, String how, String text, String what) {
    if (!condition) {
      throw new SettingsException("{" + how + "} " + text + " " + what);
    }
  }
}
