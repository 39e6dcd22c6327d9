package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.run.EpochReport.BlockReport;

/**
 * Whether a hidden block has stopped learning, which freezes it under {@code freeze_after auto}: the error of its local
 * classifier over an epoch's training images, or its local loss if it has no classifier of the labels, has not fallen by
 * 1 % of its lowest value for two epochs. An error is counted, and so exact; a loss is a sum whose last digit may depend on
 * where a run was stopped and on the number of processes.
 *
 * @param lowest its value when it last fell by so much
 * @param epochs since then
 */
public record Plateau(@JsonProperty("lowest") double lowest, @JsonProperty("epochs") int epochs) {
  private static final double LEAST_FALL = 0.01;
  private static final int PATIENCE = 2;

  /** Of a block that has not been trained yet. */
  static final Plateau START = new Plateau(Double.MAX_VALUE, 0);

  /**
   * After one more epoch.
   *
   * @param alpha the unsupervised part of the block's loss
   */
  Plateau next(BlockReport block, double alpha) {
    double value =
        block.localError() != null ? block.localError()
            : (1 - alpha) * (orZero(block.similarityLoss()) + orZero(block.predictionLoss()))
                + alpha * orZero(block.unsupervisedLoss());
    return value < (1 - LEAST_FALL) * lowest ? new Plateau(value, 0) : new Plateau(lowest, epochs + 1);
  }

  private static double orZero(Double part) {
    return part == null ? 0 : part;
  }

  boolean isReached() {
    return epochs >= PATIENCE;
  }
}
