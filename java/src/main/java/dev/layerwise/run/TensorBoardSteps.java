package dev.layerwise.run;

import dev.layerwise.LayerwiseException;
import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileErrors;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.tensorboard.EventRecords;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * What the output layer has learned from batch to batch, in files that TensorBoard reads: a step is a batch. They lie in a
 * folder in the run's, which TensorBoard shows as a run of its own, because the run's other steps are epochs. Each session
 * adds a file, which says that what an earlier one may have written of its steps is void.
 */
public final class TensorBoardSteps {
  /** The least number of batches between two points. */
  public static final int EVERY = 50;

  /** The least time between two points: for each, the host waits for the device. */
  private static final long INTERVAL = TimeUnit.MILLISECONDS.toNanos(100);

  private static final String FOLDER = "steps";

  private final Path file;
  private Progress last;
  private long lastTime;

  private TensorBoardSteps(Path file, Progress last) {
    this.file = file;
    this.last = last;
    lastTime = System.nanoTime() - INTERVAL;
  }

  /** Where they are in a run's folder. */
  static Path folder(Path run) {
    return run.resolve(FOLDER);
  }

  /**
   * Begins a session's file.
   *
   * @param run the run's folder
   * @param from where the session goes on
   */
  public static TensorBoardSteps begin(Path run, Progress from) {
    Path folder = folder(run);
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new LayerwiseException("cannot make the folder " + folder + " (" + FileErrors.reason(e) + ")", e);
    }
    double now = System.currentTimeMillis() * 1e-3;
    long name = (long) now;
    while (Files.exists(TensorBoardLog.file(folder, name))) {
      name++;
    }
    Path file = TensorBoardLog.file(folder, name);
    AtomicFiles.write(file, out -> {
      out.write(EventRecords.version(now));
      out.write(EventRecords.sessionStart(now, from.step() + 1));
    });
    return new TensorBoardSteps(file, from);
  }

  /**
   * Whether it is time for a point.
   *
   * @param step batches trained since the start of the run
   */
  public boolean isDue(long step) {
    return isDue(step, System.nanoTime());
  }

  boolean isDue(long step, long time) {
    return step - last.step() >= EVERY && time - lastTime >= INTERVAL;
  }

  /**
   * Adds a point: means over the images of this epoch since the last one.
   *
   * @param learningRate of the last batch
   */
  public void add(Progress at, double learningRate) {
    BlockMetrics sums = output(at);
    BlockMetrics before = at.epoch() == last.epoch() ? output(last) : BlockMetrics.NONE;
    double images = sums.samples() - before.samples();
    Map<String, Double> values = new TreeMap<>();
    values.put("step_learning_rate", learningRate);
    if (images > 0) { // none if all of them could not be used
      values.put("step_loss/train", (sums.predictionLoss() - before.predictionLoss()) / images);
      values.put("step_error/train", 100 * (sums.errors() - before.errors()) / images);
    }
    TensorBoardLog.append(file, EventRecords.scalars(System.currentTimeMillis() * 1e-3, at.step(), values));
    last = at;
    lastTime = System.nanoTime();
  }

  private static BlockMetrics output(Progress at) {
    List<BlockMetrics> sums = at.sums();
    return sums.get(sums.size() - 1);
  }
}
