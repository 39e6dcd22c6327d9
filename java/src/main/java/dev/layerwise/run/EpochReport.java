package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;

/**
 * What one epoch gave. Errors are in percent.
 *
 * @param epoch counted from 1
 * @param lr learning rate of this epoch
 * @param trainLoss mean global cross-entropy during the epoch, weights changing all the while
 * @param validationLoss mean global cross-entropy after the epoch on the training images that are held out; {@code null}
 *     without them
 * @param validationError on the same images; {@code null} without them
 * @param imagesPerSecond training images over training time, evaluation left out
 * @param seconds training time since the run's first start, evaluation and earlier sessions included
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record EpochReport(
    int epoch,
    int epochs,
    double lr,
    double trainLoss,
    double trainError,
    double testLoss,
    double testError,
    @JsonInclude(JsonInclude.Include.NON_NULL) Double validationLoss,
    @JsonInclude(JsonInclude.Include.NON_NULL) Double validationError,
    double imagesPerSecond,
    double seconds,
    List<BlockReport> blocks) {

  /** What decides which epoch is the best: the validation error, or without one the test error. */
  public double decidingError() {
    return validationError == null ? testError : validationError;
  }

  /**
   * A hidden block's means over the epoch's training batches; {@code null} where its loss has no such
   * part. Those of a frozen block are of the last epoch in which it was trained.
   *
   * @param similarityLoss as weighted in the block's supervised loss (times β under predsim)
   * @param predictionLoss as weighted in the block's supervised loss (times 1 − β under predsim)
   * @param unsupervisedLoss unweighted
   * @param localError error of the local classifier, in percent
   * @param localTestError of the local classifier on the test images after the epoch, in percent; {@code null} while an
   *     epoch is under way, too, and in files of versions that did not store it
   * @param frozen true if the block was not trained in this epoch; otherwise {@code null}
   */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record BlockReport(
      String name, Double similarityLoss, Double predictionLoss, Double unsupervisedLoss, Double localError,
      Double localTestError, Boolean frozen) {}
}
