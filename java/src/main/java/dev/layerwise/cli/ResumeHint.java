package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.ModelFile;
import dev.layerwise.run.RunDirectory;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/** The command that continues an unfinished run, ready to paste into a shell. */
final class ResumeHint {
  /** What no POSIX shell takes for anything but itself. */
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_@%+=:,./-]+");

  private ResumeHint() {}

  /**
   * The command, as the program was called; the run itself remembers where its data is.
   *
   * @param folder of the run
   * @param noExif whether its images are taken as they are stored
   */
  static String command(Path folder, boolean noExif) {
    int processes = Launch.size();
    return (processes > 1 ? "mpirun -n " + processes + " " : "") + program() + " train --resume " + quoted(folder.toString())
        + (noExif ? " " + DataOptions.NO_EXIF : "");
  }

  /** The command that is running, as the user typed it but for quotes. */
  static String typed(CommandSpec spec) {
    ParseResult parsed = spec.root().commandLine().getParseResult();
    int processes = Launch.size();
    return (processes > 1 ? "mpirun -n " + processes + " " : "") + program() + " "
        + parsed.originalArgs().stream().map(ResumeHint::quoted).collect(Collectors.joining(" "));
  }

  /** What the user typed for the program: the launchers tell it, and without one it is on the PATH. */
  private static String program() {
    String called = System.getenv("LAYERWISE_COMMAND");
    return called == null || called.isEmpty() ? "layerwise" : quoted(called);
  }

  /** Throws where a run has not come to its end, and so has left no model yet; says how it goes on. */
  static void requireModel(Path folder) {
    if (RunDirectory.holdsCheckpoint(folder) && !RunDirectory.holdsModel(folder)) {
      throw new LayerwiseException(
          "the run in " + folder + " is not finished and has no " + ModelFile.FILE_NAME + " yet; continue it with: "
              + command(folder, false));
    }
  }

  /** Quotes text for a shell if necessary, in single quotes; a quote itself ends one quoted string and starts the next. */
  private static String quoted(String text) {
    return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "'\\''") + "'";
  }
}
