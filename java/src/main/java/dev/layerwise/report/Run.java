package dev.layerwise.report;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.run.DataPlace;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.Session;
import dev.layerwise.run.TrainingResult.Ending;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A run as its folder tells of it.
 *
 * @param name by which it is told from the others
 * @param folder as it was given
 * @param config its config.json, whichever version wrote it
 * @param epochs finished ones in their order; perhaps none
 * @param evaluation what its model predicts; {@code null}: the folder says nothing about it
 * @param sessions in which it was trained, the first one first; none where that was not recorded
 * @param remark what was found wrong with its files, in a sentence; {@code null}: nothing
 */
record Run(
    String name, Path folder, JsonNode config, List<EpochReport> epochs, Evaluation evaluation,
    List<Session> sessions, String remark) {

  /** What runs call their data set where it is a folder of images. */
  private static final String IMAGE_FOLDER = "image-folder";

  Run {
    epochs = List.copyOf(epochs);
    sessions = List.copyOf(sessions);
  }

  Optional<EpochReport> last() {
    return epochs.isEmpty() ? Optional.empty() : Optional.of(epochs.get(epochs.size() - 1));
  }

  /** The first epoch of the smallest validation error or, without images held out, of the smallest test error. */
  Optional<EpochReport> best() {
    return epochs.stream().min(Comparator.comparingDouble(EpochReport::decidingError));
  }

  /** That of the model: with images held out or patience the best one, otherwise the last. */
  Optional<EpochReport> modelEpoch() {
    boolean keepsBest = validationError().isPresent() || config.path("training").path("patience").asInt(0) > 0;
    return keepsBest ? best() : last();
  }

  /** The smallest; empty without images held out. */
  OptionalDouble validationError() {
    return epochs.stream().map(EpochReport::validationError).filter(Objects::nonNull).mapToDouble(Double::doubleValue).min();
  }

  /** Whether there is a model to evaluate. */
  boolean hasModel() {
    return RunDirectory.holdsModel(folder);
  }

  boolean isFinished() {
    return ending() != null;
  }

  /** Whether the error that decides has not improved for as many epochs as the run has patience, which ended it. */
  boolean endedEarly() {
    return ending() == Ending.NO_IMPROVEMENT;
  }

  /** {@code null} if the run is not over. */
  private Ending ending() {
    int patience = config.path("training").path("patience").asInt(0);
    return last()
        .map(epoch -> Ending.of(epoch.epoch(), epoch.epochs(), patience, best().orElseThrow().epoch()))
        .orElse(null);
  }

  /** Median over the epochs; NaN if there are none. */
  double imagesPerSecond() {
    double[] sorted = epochs.stream().mapToDouble(EpochReport::imagesPerSecond).sorted().toArray();
    int middle = sorted.length / 2;
    if (sorted.length == 0) {
      return Double.NaN;
    }
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /** A setting in words, such as {@code setting("training", "dataset")}; a dash where config.json has none. */
  String setting(String part, String name) {
    JsonNode value = config.path(part).path(name);
    return value.isMissingNode() || value.isNull() ? "–" : value.asText();
  }

  /**
   * What runs have in common that saw the same images: data set and number of classes, of folders of images also where they
   * are. Only such runs are compared image by image, or with one another.
   */
  List<String> dataKey() {
    String dataset = setting("training", "dataset");
    String folder =
        IMAGE_FOLDER.equals(dataset) ? RunDirectory.dataPlace(this.folder).map(DataPlace::folder).orElse(name) : "";
    return List.of(dataset, setting("model", "classes"), folder);
  }

  /** {@code predsim}, {@code backprop} and so on. */
  String loss() {
    return config.path("model").path("backprop").asBoolean() ? "backprop" : setting("model", "loss");
  }
}
