package dev.layerwise.cli;

import java.io.PrintWriter;
import java.io.Writer;

/** Stderr for {@code --quiet}: progress and remarks go nowhere, errors where they would go without it. */
final class Quiet extends PrintWriter {
  private final PrintWriter behind;

  Quiet(PrintWriter behind) {
    super(Writer.nullWriter());
    this.behind = behind;
  }

  /** Where errors go. */
  static PrintWriter errors(PrintWriter err) {
    return err instanceof Quiet quiet ? quiet.behind : err;
  }
}
