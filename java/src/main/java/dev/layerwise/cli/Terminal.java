package dev.layerwise.cli;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/** The terminal of stdout and stderr, if they are one. */
final class Terminal {
  private static final int USUAL_WIDTH = 80;

  private Terminal() {}

  /** Whether stderr is a terminal that can rewrite a line. */
  static boolean isStderr() {
    String kind = System.getenv("TERM");
    if (kind == null || kind.isEmpty() || kind.equals("dumb")) {
      return false;
    }
    return isTerminal(2);
  }

  private static boolean isTerminal(int descriptor) {
    try {
      String device = Path.of("/proc/self/fd/" + descriptor).toRealPath().toString();
      return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty") || device.equals("/dev/console");
    } catch (IOException e) {
      return false; // a pipe or a socket, which has no file name
    }
  }

  /** The terminal's current width in columns; the usual one if it is not known. */
  static int width() {
    return knownWidth().orElse(USUAL_WIDTH);
  }

  /** The width of stdout in columns, if it is a terminal; {@link Integer#MAX_VALUE} if it is none, or not known. */
  static int outputWidth() {
    return isTerminal(1) ? knownWidth().orElse(Integer.MAX_VALUE) : Integer.MAX_VALUE; // MPI's terminals have none
  }

  private static OptionalInt knownWidth() {
    try {
      Process stty =
          new ProcessBuilder("stty", "size").redirectInput(new File("/dev/tty")).redirectErrorStream(true).start();
      String rowsAndColumns = new String(stty.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).trim();
      if (stty.waitFor(1, TimeUnit.SECONDS) && stty.exitValue() == 0) {
        int columns = Integer.parseInt(rowsAndColumns.substring(rowsAndColumns.indexOf(' ') + 1));
        return columns > 0 ? OptionalInt.of(columns) : OptionalInt.empty();
      }
    } catch (IOException | NumberFormatException e) {
      return OptionalInt.empty(); // no stty, or unexpected output from it
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return OptionalInt.empty();
  }

  /**
   * A line in rows that are not wider than this, if its parts are not. Parts are what two or more spaces separate; rows after the
   * first are indented.
   */
  static String inRows(String line, int width) {
    if (line.length() <= width) {
      return line;
    }
    String text = line.stripLeading();
    String indentation = " ".repeat(line.length() - text.length());
    StringBuilder rows = new StringBuilder();
    String row = indentation;
    for (String part : text.split(" {2,}")) {
      boolean begins = row.isBlank();
      if (!begins && row.length() + 2 + part.length() > width) {
        rows.append(row).append(System.lineSeparator());
        row = indentation + "    ";
        begins = true;
      }
      row += (begins ? "" : "  ") + part;
    }
    return rows.append(row).toString();
  }
}
