package dev.layerwise.cli;

import dev.layerwise.train.EpochProgress;
import dev.layerwise.train.EpochReport.BlockReport;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;

/**
 * A line on a terminal that shows how far an epoch is: a bar, images per second, time left, losses. What does not fit
 * the terminal is left out, the least important first.
 */
final class ProgressLine {
  private static final int BAR_CELLS = 16;
  private static final String CLEAR = "\r\u001b[K";
  private static final double NANOS = 1e-9;

  private final PrintWriter err;
  private final IntSupplier width;
  private final boolean unicode;
  private int epoch;
  private int columns;
  private int firstImages;
  private long firstTime;
  private boolean shown;

  /** @param width of the terminal; asked at every epoch */
  ProgressLine(PrintWriter err, IntSupplier width) {
    this.err = err;
    this.width = width;
    unicode = Charset.defaultCharset().equals(StandardCharsets.UTF_8);
  }

  /** Shows a state of an epoch. */
  synchronized void show(EpochProgress progress) {
    long now = System.nanoTime();
    if (progress.epoch() != epoch) {
      epoch = progress.epoch();
      firstImages = progress.images();
      firstTime = now;
      columns = width.getAsInt();
    }
    double seconds = (now - firstTime) * NANOS;
    err.print(CLEAR + line(progress, (progress.images() - firstImages) / seconds, columns - 1));
    err.flush();
    shown = true;
  }

  /** Takes the line away, so that something else can be printed. */
  synchronized void clear() {
    if (shown) {
      err.print(CLEAR);
      err.flush();
      shown = false;
    }
  }

  /** @param imagesPerSecond not finite if it is not known yet */
  String line(EpochProgress progress, double imagesPerSecond, int room) {
    double done = (double) progress.images() / progress.ofImages();
    boolean fast = Double.isFinite(imagesPerSecond) && imagesPerSecond > 0;
    boolean testing = progress.images() == progress.ofImages();
    String[] parts = {
      String.format(Locale.ROOT, "epoch %d/%d", progress.epoch(), progress.epochs()),
      "  " + bar(done),
      String.format(Locale.ROOT, " %3d %%", (int) (100 * done)),
      testing ? "  testing" : fast ? String.format(Locale.ROOT, "  %.0f images/s", imagesPerSecond) : null,
      testing || !fast ? null : "  " + clock((progress.ofImages() - progress.images()) / imagesPerSecond) + " left",
      Double.isNaN(progress.trainLoss())
          ? null
          : String.format(Locale.ROOT, "  loss %.4f error %.2f %%", progress.trainLoss(), progress.trainError()),
      blocks("  local errors", "%.1f", progress.blocks(), BlockReport::localError),
      blocks("  sim", "%.4f", progress.blocks(), BlockReport::similarityLoss),
      blocks("  pred", "%.4f", progress.blocks(), BlockReport::predictionLoss)
    };
    boolean[] fits = new boolean[parts.length];
    int used = 0;
    for (int part : new int[] {0, 2, 3, 4, 5, 1, 6, 7, 8}) { // the most important first
      if (parts[part] != null && used + parts[part].length() <= room) {
        fits[part] = true;
        used += parts[part].length();
      }
    }
    StringBuilder line = new StringBuilder();
    for (int part = 0; part < parts.length; part++) {
      line.append(fits[part] ? parts[part] : "");
    }
    return line.toString();
  }

  private String bar(double done) {
    int full = (int) Math.round(done * BAR_CELLS);
    return (unicode ? "█" : "#").repeat(full) + (unicode ? "░" : ".").repeat(BAR_CELLS - full);
  }

  /** One value per block; {@code null} if they have none. */
  private static String blocks(
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
