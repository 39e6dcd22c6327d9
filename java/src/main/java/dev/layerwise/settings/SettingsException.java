package dev.layerwise.settings;

import dev.layerwise.LayerwiseException;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * A setting that cannot be. The text names settings in braces, {@code {batch_size}}, or where one that is on by default is
 * to be switched off, {@code {!batch_norm}}: the command line and the library call them differently.
 */
public final class SettingsException extends LayerwiseException {
  private static final long serialVersionUID = 1L;
  private static final Pattern NAME = Pattern.compile("\\{(!?)([a-z_]+)\\}");

  private final String text;

  /**
   * An exception whose message names settings as {@code config.json} does.
   *
   * @param text a sentence without its full stop, with settings in braces
   */
  public SettingsException(String text) {
    super(NAME.matcher(text).replaceAll(name -> name.group(2) + (isOff(name) ? " false" : "")));
    this.text = text;
  }

  private static boolean isOff(MatchResult name) {
    return !name.group(1).isEmpty();
  }

  /** The sentence with settings as options of a command line: {@code --batch-size}, {@code --no-batch-norm}. */
  public String withOptions() {
    return NAME.matcher(text).replaceAll(name -> (isOff(name) ? "--no-" : "--") + option(name.group(2)));
  }

  private static String option(String name) {
    return name.toLowerCase(Locale.ROOT).replace('_', '-');
  }

  static void require(boolean condition, String text) {
    if (!condition) {
      throw new SettingsException(text);
    }
  }
}
