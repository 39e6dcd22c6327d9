package dev.layerwise.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.run.Evaluation;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How well a network does on all test images, measured in one pass.
 *
 * @param error of the output layer, in percent
 * @param loss mean cross-entropy of the output layer
 * @param images that could be used
 * @param layers the hidden blocks that are measured
 * @param evaluation what was predicted
 */
public record TestMeasurement(double error, double loss, int images, List<LayerError> layers, Evaluation evaluation) {
  /** A hidden block; no local error, in percent, if its loss has no classifier. */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record LayerError(String name, Double localError) {}

  /**
   * Measures.
   *
   * @param images of the test
   * @param count how many there are, those included that cannot be used
   * @param processes that share them; all of them call this, and all of them get the result
   * @param tally counts what the network's classifiers take the images for
   * @param also shown every batch of this process; {@code null}: nothing is
   * @throws dev.layerwise.LayerwiseException if none of the images can be used, or the network computes no numbers for
   *     them
   */
  public static TestMeasurement of(
      DeviceNetwork network, ImageFeed images, DataSetInfo info, int count, int batchSize, Communicator processes,
      ClassifierTally tally, Evaluator.BatchConsumer also) {
    EvaluationCollector collector = new EvaluationCollector(info, count, batchSize, tally);
    List<BlockMetrics> metrics =
        Evaluator.evaluate(
            network, images, "test", IntStream.range(0, count).toArray(), batchSize, processes,
            also == null ? collector : collector.andThen(also));
    BlockMetrics output = metrics.get(metrics.size() - 1);
    return new TestMeasurement(
        output.errorPercent(), output.meanPredictionLoss(), (int) output.samples(), layers(network, metrics),
        collector.evaluation(processes));
  }

  private static List<LayerError> layers(DeviceNetwork network, List<BlockMetrics> metrics) {
    boolean classifies = network.config().losses().hasLocalClassifiers();
    List<LayerSpec> specs = network.measuredLayers();
    List<LayerError> layers = new ArrayList<>();
    for (int i = 0; i < specs.size() - 1; i++) {
      layers.add(new LayerError(specs.get(i).name(), classifies ? (Double) metrics.get(i).errorPercent() : null));
    }
    return layers;
  }
}
