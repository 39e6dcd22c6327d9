package dev.layerwise.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.Json;
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
import java.util.TreeMap;

/**
 * A run's metrics in a file that TensorBoard reads: a step is an epoch. Each session of a run writes a file of its own
 * that begins with the run's settings and the epochs before it, and replaces the earlier sessions' files, so that every step
 * is there once. Batches are steps of another run, in a folder of its own: {@link TensorBoardSteps}.
 */
public final class TensorBoardLog {
  private static final String FILES = "events.out.tfevents.*";
  private static final ObjectMapper JSON = Json.mapper();

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
   * @param config whose settings are the run's hyperparameters
   * @param earlier the epochs before it
   * @param secondsBefore time spent in the run before this session
   */
  public static TensorBoardLog begin(Path folder, RunConfig config, List<EpochReport> earlier, double secondsBefore) {
    double now = System.currentTimeMillis() * 1e-3;
    Path file = file(folder, (long) now);
    List<Path> replaced = filesIn(folder);
    AtomicFiles.write(file, out -> {
      out.write(EventRecords.version(now));
      out.write(EventRecords.sessionStart(now, 1)); // what TensorBoard has read of earlier sessions is void
      out.write(EventRecords.hyperparameters(now - secondsBefore, settings(config)));
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

  /** The file of a session that begins at a time, in seconds since 1970. */
  static Path file(Path folder, long time) {
    return folder.resolve(String.format(Locale.ROOT, "events.out.tfevents.%010d.layerwise", time));
  }

  /** Adds an epoch. */
  public void add(EpochReport report) {
    append(file, EventRecords.scalars(System.currentTimeMillis() * 1e-3, report.epoch(), values(report)));
  }

  /** Says that the run is over. */
  public void finish() {
    append(file, EventRecords.finished(System.currentTimeMillis() * 1e-3));
  }

  static void append(Path file, byte[] record) {
    try {
      Files.write(file, record, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new LayerwiseException("cannot write " + file + " (" + FileErrors.reason(e) + ")", e);
    }
  }

  /** What config.json holds, by names such as {@code optimizer.lr}; without what the device has found out by itself. */
  private static Map<String, Object> settings(RunConfig config) {
    Map<String, Object> settings = new TreeMap<>();
    JsonNode tree = JSON.valueToTree(config.on(config.device().withEngineChoices("")));
    addSettings(settings, "", tree);
    return settings;
  }

  private static void addSettings(Map<String, Object> settings, String name, JsonNode node) {
    if (node.isObject()) {
      node.properties().forEach(
          field -> addSettings(settings, name.isEmpty() ? field.getKey() : name + "." + field.getKey(), field.getValue()));
    } else if (node.isNumber()) {
      settings.put(name, node.doubleValue());
    } else if (node.isBoolean()) {
      settings.put(name, node.booleanValue());
    } else if (!node.isNull() && !(node.isTextual() && node.textValue().isEmpty())) {
      settings.put(name, node.isTextual() ? node.textValue() : node.toString());
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
      putIfGiven(values, "local_test_error/" + block.name(), block.localTestError());
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
