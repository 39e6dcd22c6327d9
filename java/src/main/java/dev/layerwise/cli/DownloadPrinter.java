package dev.layerwise.cli;

import dev.layerwise.data.download.DownloadListener;
import java.io.PrintWriter;
import java.util.Locale;

/** Shows downloads on stderr: on a terminal as a progress line, elsewhere as a line from time to time. */
final class DownloadPrinter implements DownloadListener {
  private static final double MEBIBYTE = 1 << 20;
  private static final long TERMINAL_INTERVAL_NANOS = 200_000_000L;
  private static final long LOG_INTERVAL_NANOS = 10_000_000_000L;

  private final PrintWriter err;
  private final boolean terminal;
  private String file;
  private long began;
  private long receivedAtBegin;
  private long printed;
  private boolean lineOpen;

  DownloadPrinter(PrintWriter err, boolean terminal) {
    this.err = err;
    this.terminal = terminal;
  }

  @Override
  public synchronized void received(String name, long received, long total) {
    long now = System.nanoTime();
    if (!name.equals(file)) {
      end();
      file = name;
      began = now;
      receivedAtBegin = received;
      printed = now;
      return;
    }
    boolean finished = received == total;
    if (now - printed < (terminal ? TERMINAL_INTERVAL_NANOS : LOG_INTERVAL_NANOS) && !finished) {
      return;
    }
    printed = now;
    double rate = (received - receivedAtBegin) / MEBIBYTE / Math.max(1e-9, (now - began) / 1e9);
    String amount = total < 0 ? "" : String.format(Locale.ROOT, " of %.1f", total / MEBIBYTE);
    String line = String.format(Locale.ROOT, "%s  %.1f%s MiB  %.1f MiB/s", name, received / MEBIBYTE, amount, rate);
    if (terminal) {
      err.print("\r" + line + "\u001b[K");
      lineOpen = true;
    } else {
      err.println(line);
    }
    err.flush();
  }

  @Override
  public synchronized void notice(String sentence) {
    end();
    err.println("layerwise: " + sentence);
    err.flush();
  }

  /** Ends the progress line. */
  synchronized void end() {
    if (lineOpen) {
      err.println();
      err.flush();
      lineOpen = false;
    }
  }
}
