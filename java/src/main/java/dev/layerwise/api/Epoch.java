package dev.layerwise.api;

import dev.layerwise.run.EpochReport;
import java.util.List;

/**
 * What one epoch of training gave. Errors are in percent.
 *
 * @param number counted from 1
 * @param trainLoss mean cross-entropy of the output layer over the epoch, weights changing all the while
 * @param trainError of the output layer, likewise
 * @param testLoss after the epoch
 * @param testError after the epoch
 * @param validationLoss after the epoch, on the training images held out; {@code null} without {@link Trainer#validation}
 * @param validationError on the same images; {@code null} without them
 * @param imagesPerSecond training images over training time
 * @param layers the hidden blocks
 */
public record Epoch(
    int number, double trainLoss, double trainError, double testLoss, double testError, Double validationLoss,
    Double validationError, double imagesPerSecond, List<LayerResult> layers) {

  /**
   * A hidden block's means over the epoch's training images; {@code null} where its loss has no such part. Those of a frozen
   * block are of the last epoch in which it was trained.
   *
   * @param name of the block
   * @param similarityLoss as weighted in the block's supervised loss
   * @param predictionLoss as weighted in the block's supervised loss
   * @param localError of the local classifier, in percent
   * @param frozen whether the block was not trained in this epoch
   */
  public record LayerResult(
      String name, Double similarityLoss, Double predictionLoss, Double localError, boolean frozen) {}

  static List<LayerResult> layers(List<EpochReport.BlockReport> blocks) {
    return blocks.stream()
        .map(
            block ->
                new LayerResult(
                    block.name(), block.similarityLoss(), block.predictionLoss(), block.localError(),
                    block.frozen() != null))
        .toList();
  }

  static Epoch of(EpochReport report) {
    return new Epoch(
        report.epoch(), report.trainLoss(), report.trainError(), report.testLoss(), report.testError(),
        report.validationLoss(), report.validationError(), report.imagesPerSecond(),
        layers(report.blocks()));
  }
}
