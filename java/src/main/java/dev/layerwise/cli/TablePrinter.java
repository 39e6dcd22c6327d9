package dev.layerwise.cli;

import java.io.PrintWriter;
import java.nio.file.Path;

/** What the commands that train many runs for one table have in common: results to stdout, what is going on to stderr. */
abstract class TablePrinter {
  final PrintWriter out;
  final PrintWriter err;
  final boolean json;

  TablePrinter(PrintWriter out, PrintWriter err, boolean json) {
    this.out = out;
    this.err = err;
    this.json = json;
  }

  /**
   * No run is left.
   *
   * @param table as JSON
   * @param text the same for people
   * @param folder that holds it as {@code table.md} and {@code table.json}
   */
  final void done(Object table, String text, Path folder) {
    if (json) {
      JsonLines.print(out, "table", table);
    } else {
      out.print(text);
      out.flush();
    }
    say("the table is in %s and in table.json in the same folder", folder.resolve("table.md"));
  }

  /** Reports a requested stop. */
  final void stopping() {
    say(RunPrinter.STOPPING);
  }

  /** Reports that all has stopped. */
  final void stopped(Path folder) {
    say("stopped; everything is saved in %s. Run the same command again to continue.", folder);
  }

  /** Prints a line to stderr. */
  synchronized void say(String format, Object... values) {
    err.printf(format + "%n", values);
    err.flush();
  }
}
