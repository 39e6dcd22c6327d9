package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.nativelib.BlockMetrics;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One block's metrics added up over a part of an epoch, so that an epoch may be interrupted.
 *
 * @param similarityLoss sum over samples of the block's mean similarity loss
 * @param predictionLoss the same of the prediction loss
 * @param unsupervisedLoss the same of the unsupervised loss
 * @param errors samples that the block's classifier got wrong
 */
public record MetricSums(
    @JsonProperty("similarity_loss") double similarityLoss,
    @JsonProperty("prediction_loss") double predictionLoss,
    @JsonProperty("unsupervised_loss") double unsupervisedLoss,
    @JsonProperty("errors") double errors,
    @JsonProperty("samples") double samples) {

  public static final MetricSums NONE = new MetricSums(0, 0, 0, 0, 0);

  /** Sums of several blocks with what each has counted since. */
  public static List<MetricSums> plus(List<MetricSums> sums, List<BlockMetrics> metrics) {
    return IntStream.range(0, sums.size()).mapToObj(i -> sums.get(i).plus(metrics.get(i))).toList();
  }

  public MetricSums plus(BlockMetrics metrics) {
    return new MetricSums(
        similarityLoss + metrics.similarityLoss() * metrics.samples(),
        predictionLoss + metrics.predictionLoss() * metrics.samples(),
        unsupervisedLoss + metrics.unsupervisedLoss() * metrics.samples(),
        errors + metrics.errors(),
        samples + metrics.samples());
  }

  public double meanSimilarityLoss() {
    return similarityLoss / samples;
  }

  public double meanPredictionLoss() {
    return predictionLoss / samples;
  }

  public double meanUnsupervisedLoss() {
    return unsupervisedLoss / samples;
  }

  public double errorPercent() {
    return 100 * errors / samples;
  }
}
