package dev.layerwise.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileErrors;
import dev.layerwise.run.EarlyExits;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.MetricsFile;
import dev.layerwise.run.RunDirectory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.DoubleStream;

/** Reads the folders of runs. What is read is not trusted: a file that is not what it should be is named. */
public final class RunReader {
  /** Fields that a later version adds are passed over; numbers that are missing do not become 0. */
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

  private RunReader() {}

  /**
   * What was found.
   *
   * @param leftOut a sentence for each run whose files are damaged
   */
  record Found(List<Run> runs, List<String> leftOut) {}

  /**
   * Reads runs, and names them by as much of the ends of their paths as tells them apart. Of several, those that are damaged
   * are left out; half a last line of metrics, which a killed run leaves, is no damage.
   *
   * @throws LayerwiseException if a folder is missing or given twice, or if each of them holds no run or a damaged one
   */
  static Found read(List<Path> folders) {
    Set<Path> places = new LinkedHashSet<>();
    for (Path folder : folders) {
      if (!places.add(realPath(folder))) {
        throw new LayerwiseException("the run " + folder + " is given twice; leave one of the two out");
      }
    }
    List<String> names = distinctNames(List.copyOf(places));
    List<Run> runs = new ArrayList<>();
    List<String> leftOut = new ArrayList<>();
    LayerwiseException first = null;
    for (int i = 0; i < folders.size(); i++) {
      try {
        runs.add(read(folders.get(i), names.get(i)));
      } catch (LayerwiseException e) {
        first = first == null ? e : first;
        leftOut.add("the run " + folders.get(i) + " is left out: " + e.getMessage());
      }
    }
    if (runs.isEmpty()) {
      throw first;
    }
    return new Found(runs, leftOut);
  }

  private static Path realPath(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new LayerwiseException(
          Files.exists(folder)
              ? folder + " is not a folder; give a run's folder, as 'layerwise train' makes it"
              : "there is no folder " + folder + "; give a run's folder, as 'layerwise train' makes it");
    }
    try {
      return folder.toRealPath();
    } catch (IOException e) {
      throw unreadable(folder, e);
    }
  }

  /** Reads one run; throws as for several. */
  static Run read(Path folder, String name) {
    if (!Files.exists(folder.resolve(RunDirectory.CONFIG))) {
      throw new LayerwiseException(
          folder + " is not a run: it has no " + RunDirectory.CONFIG
              + "; give a run's folder, as 'layerwise train' makes it");
    }
    Path configFile = folder.resolve(RunDirectory.CONFIG);
    JsonNode config = parse(text(configFile), JsonNode.class, configFile);
    if (!config.path("model").isObject() || !config.path("training").isObject()) {
      throw new LayerwiseException(configFile + " is not a run's configuration: it has no model and training");
    }
    MetricsFile.Contents metrics = new MetricsFile(folder).read();
    String remark =
        metrics.cutShort()
            ? "The last line of " + MetricsFile.NAME + " is cut short and was skipped; this happens when a run is killed."
            : null;
    Path evaluationFile = folder.resolve(Evaluation.FILE_NAME);
    Evaluation evaluation =
        Files.exists(evaluationFile) ? checked(parse(text(evaluationFile), Evaluation.class, evaluationFile),
            evaluationFile) : null;
    return new Run(name, folder, config, metrics.epochs(), evaluation, RunDirectory.sessions(folder), remark);
  }

  private static Evaluation checked(Evaluation evaluation, Path file) {
    int classes = evaluation.classNames().size();
    int[][] matrix = evaluation.confusionMatrix();
    boolean square =
        matrix != null && matrix.length == classes
            && Arrays.stream(matrix).allMatch(
                row -> row != null && row.length == classes && Arrays.stream(row).noneMatch(count -> count < 0));
    boolean inRange =
        square && evaluation.mistakes().stream().allMatch(
            mistake -> mistake.label() >= 0 && mistake.label() < classes && mistake.predicted() >= 0
                && mistake.predicted() < classes && mistake.png() != null);
    if (!inRange || !fits(evaluation.earlyExits()) || !fits(evaluation.layerErrors())) {
      throw new LayerwiseException(
          file + " is damaged: its classes, counts and mistakes do not fit together; evaluate the run's model and save"
              + " the result to write it again");
    }
    return evaluation;
  }

  private static boolean fits(List<Evaluation.LayerError> errors) {
    return errors == null || errors.stream().allMatch(error -> error.layer() != null && Double.isFinite(error.error()));
  }

  private static boolean fits(EarlyExits exits) {
    return exits == null
        || exits.networkFlops() > 0
            && !exits.points().isEmpty()
            && exits.points().stream().allMatch(
                point ->
                    point.stopped() != null && point.stopped().length == exits.layers().size()
                        && DoubleStream.of(point.confidence(), point.error(), point.meanFlops()).allMatch(Double::isFinite));
  }

  private static <T> T parse(String text, Class<T> type, Path file) {
    try {
      T value = JSON.readValue(text, type);
      if (value != null) {
        return value;
      }
    } catch (JsonProcessingException e) {
      throw new LayerwiseException(file + " is damaged: it is not the JSON that a run writes", e);
    }
    throw new LayerwiseException(file + " is damaged: it is empty");
  }

  private static String text(Path file) {
    try {
      return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private static LayerwiseException unreadable(Path path, IOException e) {
    return new LayerwiseException("cannot read " + path + " (" + FileErrors.reason(e) + ")", e);
  }

  /** Takes in more of the paths' ends until no two names are equal, as whole paths are not. */
  private static List<String> distinctNames(List<Path> places) {
    for (int parts = 1; ; parts++) {
      int length = parts;
      List<String> names = places.stream().map(path -> end(path, length)).toList();
      if (Set.copyOf(names).size() == names.size()) {
        return names;
      }
    }
  }

  private static String end(Path path, int parts) {
    int count = path.getNameCount();
    return count == 0 ? path.toString() : path.subpath(Math.max(0, count - parts), count).toString();
  }
}
