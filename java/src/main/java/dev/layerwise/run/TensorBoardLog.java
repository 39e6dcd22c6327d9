package dev.layerwise.run;

import dev.layerwise.LayerwiseException;
import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileErrors;
import dev.layerwise.tensorboard.EventRecords;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A run's metrics in a file that TensorBoard reads: a step is an epoch. Each session of a run writes a file of its own
 * that begins with the epochs before it and replaces the earlier sessions' files, so that every step is there once.
 */
public final class TensorBoardLog {
  private static final String FILES = "events.out.tfevents.*";

  private final Path file;

  private TensorBoardLog(Path file) {
    this.file = file;
  }

  /** Whether a run's folder holds such a file. */
  public static boolean isIn(Path folder) {
    return !filesIn(folder).isEmpty();
  }

  /**
   * Begins a session's file.
   *
   * @param earlier the epochs before it
   * @param secondsBefore time spent in the run before this session
   */
  public static TensorBoardLog begin(Path folder, List<EpochReport> earlier, double secondsBefore) {
    double now = System.currentTimeMillis() * 1e-3;
    Path file = folder.resolve(String.format(Locale.ROOT, "events.out.tfevents.%010d.layerwise", (long) now));
    List<Path> replaced = filesIn(folder);
    AtomicFiles.write(file, out -> {
      out.write(EventRecords.version(now));
      out.write(EventRecords.sessionStart(now, 1)); // what TensorBoard has read of earlier sessions is void
      for (EpochReport report : earlier) {
        out.write(EventRecords.scalars(now - secondsBefore + report.seconds(), report.epoch(), values(report)));
      }
    });
    replaced.remove(file);
    try {
      for (Path old : replaced) {
        Files.deleteIfExists(old);
      }
    } catch (IOException e) {
      throw new LayerwiseException("cannot remove old event files in " + folder + " (" + FileErrors.reason(e) + ")", e);
    }
    return new TensorBoardLog(file);
  }

  /** Adds an epoch. */
  public void add(EpochReport report) {
    byte[] record = EventRecords.scalars(System.currentTimeMillis() * 1e-3, report.epoch(), values(report));
    try {
      Files.write(file, record, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new LayerwiseException("cannot write " + file + " (" + FileErrors.reason(e) + ")", e);
    }
  }

  /** By tag: TensorBoard shows together what is alike before the slash. */
  private static Map<String, Double> values(EpochReport report) {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("loss/train", report.trainLoss());
    values.put("loss/test", report.testLoss());
    putIfGiven(values, "loss/validation", report.validationLoss());
    values.put("error/train", report.trainError());
    values.put("error/test", report.testError());
    putIfGiven(values, "error/validation", report.validationError());
    values.put("learning_rate", report.lr());
    values.put("images_per_second", report.imagesPerSecond());
    for (EpochReport.BlockReport block : report.blocks()) {
      putIfGiven(values, "local_error/" + block.name(), block.localError());
      putIfGiven(values, "similarity_loss/" + block.name(), block.similarityLoss());
      putIfGiven(values, "prediction_loss/" + block.name(), block.predictionLoss());
      putIfGiven(values, "unsupervised_loss/" + block.name(), block.unsupervisedLoss());
    }
    return values;
  }

  private static void putIfGiven(Map<String, Double> values, String tag, Double value) {
    if (value != null) {
      values.put(tag, value);
    }
  }

  /** Such files in a folder. */
  static List<Path> filesIn(Path folder) {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, FILES)) {
      found.forEach(files::add);
    } catch (IOException e) {
      throw new LayerwiseException("cannot read the folder " + folder + " (" + FileErrors.reason(e) + ")", e);
    }
    return files;
  }
}
