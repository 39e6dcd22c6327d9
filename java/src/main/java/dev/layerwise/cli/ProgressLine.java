package dev.layerwise.cli;

import dev.layerwise.run.EpochReport.BlockReport;
import dev.layerwise.train.EpochProgress;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A line on a terminal that shows the progress of an epoch: a bar, images per second, time left, losses. Items that do not
 * fit are left out, the least important first.
 */
final class ProgressLine {
  private static final int LONGEST_BAR = 20;
  private static final int SHORTEST_BAR = 4;
  /** The bar's length before blocks get room. */
  private static final int USUAL_BAR = 10;
  /** Removes a line that was printed without its end. */
  static final String CLEAR = "\r\u001b[K";
  private static final double NANOS = 1e-9;
  private static final boolean UNICODE = Charset.defaultCharset().equals(StandardCharsets.UTF_8);

  private final PrintWriter err;
  private final IntSupplier width;
  private int epoch;
  private int columns;
  private volatile boolean resized;
  private int firstImages;
  private long firstTime;
  /** Characters on the terminal; 0: none. */
  private int shown;

  /** @param width gives the terminal's width; called in every epoch, and when the terminal changes it */
  ProgressLine(PrintWriter err, IntSupplier width) {
    this.err = err;
    this.width = width;
    Signals.handle("WINCH", () -> resized = true);
  }

  /** Shows the progress of an epoch. */
  synchronized void show(EpochProgress progress) {
    long now = System.nanoTime();
    if (progress.epoch() != epoch) {
      epoch = progress.epoch();
      firstImages = progress.images();
      firstTime = now;
      resized = true;
    }
    if (resized) {
      resized = false;
      columns = width.getAsInt();
    }
    double seconds = (now - firstTime) * NANOS;
    String line = line(progress, (progress.images() - firstImages) / seconds, columns - 1);
    err.print(removal() + line);
    err.flush();
    shown = line.length();
  }

  /** Removes the line to make room for other output. */
  synchronized void clear() {
    if (shown > 0) {
      err.print(removal());
      err.flush();
      shown = 0;
    }
  }

  /** Takes away what is shown, which a terminal that has become narrower has wrapped. */
  private String removal() {
    int rowsAbove = shown == 0 ? 0 : (shown - 1) / Math.max(1, columns);
    return rowsAbove == 0 ? CLEAR : "\r\u001b[" + rowsAbove + "A\u001b[J";
  }

  /** @param imagesPerSecond not finite if not known yet */
  String line(EpochProgress progress, double imagesPerSecond, int room) {
    double done = (double) progress.images() / progress.ofImages();
    boolean fast = Double.isFinite(imagesPerSecond) && imagesPerSecond > 0;
    boolean testing = progress.images() == progress.ofImages();
    String head = String.format(Locale.ROOT, "epoch %d/%d", progress.epoch(), progress.epochs());
    List<String> tail = new ArrayList<>(); // the most important first
    tail.add(String.format(Locale.ROOT, "  %d %%", (int) (100 * done)));
    if (testing) {
      tail.add("  testing");
    } else if (fast) {
      tail.add(String.format(Locale.ROOT, "  %.0f images/s", imagesPerSecond));
      int left = progress.ofImages() - progress.images();
      tail.add("  " + clock(left / imagesPerSecond) + " left");
      if (progress.epoch() < progress.epochs()) {
        double later = (double) (progress.epochs() - progress.epoch()) * progress.ofImages();
        tail.add(", " + clock((left + later) / imagesPerSecond) + " in all epochs");
      }
    }
    if (!Double.isNaN(progress.trainLoss())) {
      tail.add(String.format(Locale.ROOT, "  loss %.4f error %.2f %%", progress.trainLoss(), progress.trainError()));
    }
    StringBuilder line = new StringBuilder();
    int left = room - head.length();
    left = appendWhatFits(line, tail, left);
    left = USUAL_BAR + appendWhatFits(line, blocks(progress.blocks()), left - USUAL_BAR);
    String whole = head + bar(done, left - 2) + line;
    return whole.length() <= room ? whole : whole.substring(0, Math.max(0, room)); // a terminal of a few columns
  }

  /** @return the remaining room */
  private static int appendWhatFits(StringBuilder line, List<String> parts, int room) {
    int left = room;
    for (String part : parts) {
      if (part.length() > left) {
        break;
      }
      line.append(part);
      left -= part.length();
    }
    return left;
  }

  /** Two blanks and the bar; empty if there is too little room. */
  static String bar(double done, int room) {
    int cells = Math.min(LONGEST_BAR, room);
    if (cells < SHORTEST_BAR) {
      return "";
    }
    int full = (int) Math.round(done * cells);
    return "  " + (UNICODE ? "█" : "#").repeat(full) + (UNICODE ? "░" : ".").repeat(cells - full);
  }

  private static List<String> blocks(List<BlockReport> blocks) {
    return Stream.of(
            values("  local", "%.1f %%", blocks, BlockReport::localError),
            values("  sim", "%.4f", blocks, BlockReport::similarityLoss),
            values("  pred", "%.4f", blocks, BlockReport::predictionLoss))
        .filter(Objects::nonNull)
        .toList();
  }

  /** One value per block; {@code null} if the blocks have none. */
  private static String values(
      String title, String format, List<BlockReport> blocks, Function<BlockReport, Double> value) {
    List<Double> values = blocks.stream().map(value).filter(Objects::nonNull).toList();
    if (values.isEmpty() || values.get(0).isNaN()) {
      return null;
    }
    return title
        + values.stream().map(one -> " " + String.format(Locale.ROOT, format, one)).collect(Collectors.joining());
  }

  private static String clock(double seconds) {
    long whole = (long) Math.ceil(seconds);
    return whole < 3600
        ? String.format(Locale.ROOT, "%d:%02d", whole / 60, whole % 60)
        : String.format(Locale.ROOT, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  }
}
