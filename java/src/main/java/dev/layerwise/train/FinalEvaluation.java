package dev.layerwise.train;

import dev.layerwise.data.DataSet;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.EarlyExits;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.RunConfig;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.settings.Optimizer;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a finished model makes of the test images, of which each process has a part. */
final class FinalEvaluation {
  private FinalEvaluation() {}

  /**
   * Of a whole network.
   *
   * @param images of the test
   */
  static Evaluation of(
      DeviceNetwork network, RunConfig config, ImageFeed images, DataSet<?> data, Communicator communicator) {
    Communicator alike = communicator.withoutStages();
    int batchSize = config.training().batches().batchSize();
    ClassifierTally tally = new ClassifierTally(network, EarlyExits.CONFIDENCES);
    return TestMeasurement.of(network, images, data.info(), data.test().count(), batchSize, alike, tally, null)
        .evaluation();
  }

  /**
   * Of a network in stages: each process builds the whole one.
   *
   * @param weights all of them, in the first process
   */
  static Evaluation ofStages(
      NativeContext context, RunConfig config, Map<String, TensorSource> weights, DataSet<?> data,
      Communicator communicator) {
    try (DeviceNetwork whole = new DeviceNetwork(context, config.model(), Optimizer.STATELESS);
        ImageFeed images = ImageFeed.of(context, data.test(), data.info(), config.training().seed())) {
      Map<String, TensorSource> everywhere = new LinkedHashMap<>(whole.weights());
      everywhere.replaceAll(
          (name, tensor) -> {
            float[] values = HostTensor.copyOf(communicator.isFirst() ? weights.get(name) : tensor).toFloats();
            communicator.broadcast(values, 0);
            return HostTensor.of(tensor.shape(), values);
          });
      whole.setWeights(everywhere);
      return of(whole, config, images, data, communicator);
    }
  }
}
