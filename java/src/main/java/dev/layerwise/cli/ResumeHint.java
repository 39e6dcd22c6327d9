package dev.layerwise.cli;

import java.nio.file.Path;
import java.util.regex.Pattern;

/** The command that continues a run, as it can be pasted into a shell. */
final class ResumeHint {
  /** What no POSIX shell takes for anything but itself. */
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_@%+=:,./-]+");

  private ResumeHint() {}

  /**
   * The command.
   *
   * @param folder of the run
   * @param dataDir where its data was said to be; {@code null}: in the usual places
   */
  static String command(Path folder, Path dataDir) {
    return "layerwise train --resume " + quoted(folder) + (dataDir == null ? "" : " --data-dir " + quoted(dataDir));
  }

  /** In single quotes where a shell would not take it as it is; a quote itself stands between two such strings. */
  private static String quoted(Path path) {
    String text = path.toString();
    return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "'\\''") + "'";
  }
}
