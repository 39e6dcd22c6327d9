package dev.layerwise.nativelib;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * Sums over the samples that a block saw, so that an epoch may be interrupted, and its parts added up.
 *
 * @param similarityLoss of the samples' mean losses, as weighted in the block's supervised loss: times beta under predsim
 * @param predictionLoss the same, times (1 − beta) under predsim; the output layer's is unweighted
 * @param unsupervisedLoss the same of the unsupervised loss, unweighted
 * @param errors samples that the (local) classifier got wrong; 0 without a classifier
 * @param samples that the block saw
 */
public record BlockMetrics(
    @JsonProperty("similarity_loss") double similarityLoss,
    @JsonProperty("prediction_loss") double predictionLoss,
    @JsonProperty("unsupervised_loss") double unsupervisedLoss,
    @JsonProperty("errors") double errors,
    @JsonProperty("samples") double samples) {

  /** Of a block that saw nothing. */
  public static final BlockMetrics NONE = new BlockMetrics(0, 0, 0, 0, 0);

  /** With what was counted elsewhere or later. */
  public BlockMetrics plus(BlockMetrics other) {
    return new BlockMetrics(
        similarityLoss + other.similarityLoss, predictionLoss + other.predictionLoss,
        unsupervisedLoss + other.unsupervisedLoss, errors + other.errors, samples + other.samples);
  }

  /** The mean over samples. */
  public double meanSimilarityLoss() {
    return similarityLoss / samples;
  }

  /** The mean over samples. */
  public double meanPredictionLoss() {
    return predictionLoss / samples;
  }

  /** The mean over samples. */
  public double meanUnsupervisedLoss() {
    return unsupervisedLoss / samples;
  }

  /** The part of the samples that the classifier got wrong. */
  public double errorPercent() {
    return 100 * errors / samples;
  }
}
