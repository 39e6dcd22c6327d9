package dev.layerwise.cli;

import dev.layerwise.data.ReadingListener;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.Function;

/** Shows on a terminal how far the reading of a data set has come, if it takes long. */
final class ReadingPrinter implements ReadingListener, AutoCloseable {
  private static final long QUIET_NANOS = 1_000_000_000L;
  private static final long INTERVAL_NANOS = 200_000_000L;
  private static final int BAR_ROOM = 22;

  private final String title;
  private final PrintWriter err;
  private final boolean terminal;
  private long next = System.nanoTime() + QUIET_NANOS;
  private boolean shown;

  private ReadingPrinter(String title, PrintWriter err) {
    this.title = title;
    this.err = err;
    terminal = Terminal.isStderr();
  }

  /**
   * Shows one reading.
   *
   * @param title of the data set
   * @param load reads it and tells the listener
   * @return what was read
   */
  static <T> T show(String title, PrintWriter err, Function<ReadingListener, T> load) {
    try (ReadingPrinter printer = new ReadingPrinter(title, err)) {
      return load.apply(printer);
    }
  }

  @Override
  public synchronized void read(long bytes, long ofBytes) {
    if (!terminal || ofBytes <= 0 || System.nanoTime() - next < 0) {
      return;
    }
    next = System.nanoTime() + INTERVAL_NANOS;
    double done = Math.min(1, (double) bytes / ofBytes);
    err.print(ProgressLine.CLEAR
        + String.format(Locale.ROOT, "reading %s%s  %d %%", title, ProgressLine.bar(done, BAR_ROOM), (int) (100 * done)));
    err.flush();
    shown = true;
  }

  @Override
  public synchronized void notice(String sentence) {
    close();
    err.println("layerwise: " + sentence);
    err.flush();
  }

  @Override
  public synchronized void close() {
    if (shown) {
      err.print(ProgressLine.CLEAR);
      err.flush();
      shown = false;
    }
  }
}
