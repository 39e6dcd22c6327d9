package dev.layerwise.data;

import dev.layerwise.data.download.Checksums;
import dev.layerwise.files.FileErrors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What md5 the files had that were unpacked from an archive, which is not kept: a file in the format of md5sum, beside
 * them.
 */
final class InstalledChecksums {
  private static final String NAME = "checksums.md5";
  private static final Pattern LINE = Pattern.compile("([0-9a-f]{32})  (.+)");

  private InstalledChecksums() {}

  /**
   * Writes them down.
   *
   * @param files paths within the folder
   */
  static void write(Path folder, List<Path> files) throws IOException {
    List<String> lines = new ArrayList<>();
    for (Path file : files) {
      lines.add(Checksums.md5(folder.resolve(file)) + "  " + file);
    }
    Files.write(folder.resolve(NAME), lines);
  }

  static boolean exist(Path folder) {
    return Files.isRegularFile(folder.resolve(NAME));
  }

  /**
   * Compares the files with what was written down.
   *
   * @throws DataException if one is missing, cannot be read or is another; names it
   */
  static void check(Path folder) {
    Path list = folder.resolve(NAME);
    try {
      for (String line : Files.readAllLines(list)) {
        Matcher match = LINE.matcher(line);
        if (!match.matches()) {
          throw new DataException(list + " is damaged; remove the folder and fetch the data set again.");
        }
        Path file = folder.resolve(match.group(2));
        if (!Files.exists(file)) {
          throw new DataException(file + " is missing, though it was installed; fetch the data set again.");
        }
        if (!Checksums.md5(file).equals(match.group(1))) {
          throw new DataException(file + " is not what was installed: its md5 differs from that in " + list
              + "; fetch the data set again.");
        }
      }
    } catch (IOException e) {
      throw new DataException("Cannot check " + folder + ": " + FileErrors.reason(e) + ".", e);
    }
  }
}
