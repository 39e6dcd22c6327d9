package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.ModelFile;
import dev.layerwise.run.RunDirectory;
import java.nio.file.Path;
import java.util.regex.Pattern;

/** The command that continues an unfinished run, ready to paste into a shell. */
final class ResumeHint {
  /** What no POSIX shell takes for anything but itself. */
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_@%+=:,./-]+");

  private ResumeHint() {}

  /**
   * The command.
   *
   * @param folder of the run
   * @param dataDir where its data was said to be; {@code null}: in the usual places
   * @param noExif whether its images are taken as they are stored
   */
  static String command(Path folder, Path dataDir, boolean noExif) {
    return "layerwise train --resume " + quoted(folder) + (dataDir == null ? "" : " --data-dir " + quoted(dataDir))
        + (noExif ? " " + DataOptions.NO_EXIF : "");
  }

  /** Throws where a run has not come to its end, and so has left no model yet; says how it goes on. */
  static void requireModel(Path folder) {
    if (RunDirectory.holdsCheckpoint(folder) && !RunDirectory.holdsModel(folder)) {
      throw new LayerwiseException(
          "the run in " + folder + " is not finished and has no " + ModelFile.FILE_NAME + " yet; continue it with: "
              + command(folder, null, false));
    }
  }

  /** Quotes text for a shell if necessary, in single quotes; a quote itself ends one quoted string and starts the next. */
  private static String quoted(Path path) {
    String text = path.toString();
    return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "'\\''") + "'";
  }
}
