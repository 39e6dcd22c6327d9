package dev.layerwise.report;

import dev.layerwise.run.EpochReport.BlockReport;
import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/** What is measured of a hidden layer in every epoch. */
enum Measure {
  LOCAL_ERROR("Local error", "error, %", true, BlockReport::localError),
  SIMILARITY_LOSS("Similarity loss", "loss", false, BlockReport::similarityLoss),
  PREDICTION_LOSS("Prediction loss", "loss", false, BlockReport::predictionLoss),
  UNSUPERVISED_LOSS("Unsupervised loss", "loss", false, BlockReport::unsupervisedLoss);

  private final String title;
  private final String axis;
  private final boolean percent;
  private final Function<BlockReport, Double> of;

  Measure(String title, String axis, boolean percent, Function<BlockReport, Double> of) {
    this.title = title;
    this.axis = axis;
    this.percent = percent;
    this.of = of;
  }

  String title() {
    return title;
  }

  /** Title of its axis. */
  String axis() {
    return axis;
  }

  /** Whether it is an error: the output layer has it too, as training error. */
  boolean isError() {
    return percent;
  }

  /** Whether a run's layers have it. */
  boolean isIn(Run run) {
    return run.last().stream().flatMap(epoch -> epoch.blocks().stream()).map(of).anyMatch(Objects::nonNull);
  }

  /** Names of the layers that have it, the output layer's included where it has it. */
  List<String> layers(EpochReport epoch) {
    List<String> names = new ArrayList<>(epoch.blocks().stream().map(BlockReport::name).toList());
    if (percent) {
      names.add("output layer");
    }
    return names;
  }

  /** Its values in an epoch, one per layer; NaN where a layer has none. */
  double[] values(EpochReport epoch) {
    double[] hidden =
        epoch.blocks().stream().map(of).mapToDouble(value -> value == null ? Double.NaN : value).toArray();
    if (!percent) {
      return hidden;
    }
    double[] all = Arrays.copyOf(hidden, hidden.length + 1);
    all[hidden.length] = epoch.trainError();
    return all;
  }

  /** A value in words. */
  String inWords(double value) {
    return Double.isNaN(value) ? "–" : percent ? Numbers.percent(value) : Numbers.loss(value);
  }
}
