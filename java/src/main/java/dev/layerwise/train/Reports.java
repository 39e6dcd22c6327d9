package dev.layerwise.train;

import dev.layerwise.model.LayerSpec;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.Progress;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.settings.Losses;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes a run's progress readable.
 *
 * @param layers those with metrics, in the order of a progress' sums; the last is the output layer
 */
record Reports(RunConfig config, List<LayerSpec> layers) {
  /** An epoch under way. */
  EpochProgress progress(Progress at, int ofImages) {
    BlockMetrics output = output(at);
    return new EpochProgress(
        at.epoch(), config.training().schedule().epochs(), at.images(), ofImages, output.meanPredictionLoss(),
        output.errorPercent(), blocks(at, null));
  }

  /**
   * An epoch that is over.
   *
   * @param at its end, evaluation not included
   * @param tests each layer's metrics on the test images
   * @param validation the output layer's on the images held out; {@code null} without them
   * @param totalSeconds since the run's start, evaluation included
   */
  EpochReport epoch(Progress at, List<BlockMetrics> tests, BlockMetrics validation, double totalSeconds) {
    BlockMetrics output = output(at);
    BlockMetrics test = tests.get(tests.size() - 1);
    TrainingConfig training = config.training();
    return new EpochReport(
        at.epoch(), training.schedule().epochs(), training.learningRate(at.epoch() - 1), output.meanPredictionLoss(),
        output.errorPercent(), test.meanPredictionLoss(), test.errorPercent(),
        validation == null ? null : (Double) validation.meanPredictionLoss(),
        validation == null ? null : (Double) validation.errorPercent(), at.images() / at.epochSeconds(), totalSeconds,
        blocks(at, tests));
  }

  private BlockMetrics output(Progress at) {
    return at.sums().get(layers.size() - 1);
  }

  /** Of the hidden layers; the tests' metrics are {@code null} while an epoch is under way. */
  private List<EpochReport.BlockReport> blocks(Progress at, List<BlockMetrics> tests) {
    Losses losses = config.model().losses();
    List<EpochReport.BlockReport> blocks = new ArrayList<>();
    for (int i = 0; i < layers.size() - 1; i++) {
      BlockMetrics sums = at.sums().get(i);
      blocks.add(
          new EpochReport.BlockReport(
              layers.get(i).name(),
              losses.hasSimilarityLoss() ? (Double) sums.meanSimilarityLoss() : null,
              losses.hasPredictionLoss() ? (Double) sums.meanPredictionLoss() : null,
              losses.alpha() > 0 ? (Double) sums.meanUnsupervisedLoss() : null,
              losses.hasLocalClassifiers() ? (Double) sums.errorPercent() : null,
              losses.hasLocalClassifiers() && tests != null ? (Double) tests.get(i).errorPercent() : null,
              i < at.frozenBlocks() ? true : null));
    }
    return blocks;
  }
}
