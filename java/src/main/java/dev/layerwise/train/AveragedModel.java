package dev.layerwise.train;

import dev.layerwise.data.EpochOrder;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.run.RunConfig;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * The model that a run tests and saves: the average of the weights where the optimizer keeps one, otherwise the weights as
 * they are.
 *
 * <p>Batch norm's running statistics belong to the weights with which they were collected. Those of an average are
 * estimated: some batches of training images pass through the network as in training.
 */
final class AveragedModel {
  /** With a momentum of 0.1, a thousandth of what was there before is left after so many. */
  private static final int BATCHES = 64;

  private final RunConfig config;
  private final NativeContext context;
  private final DeviceNetwork network;
  private final ImageFeed images;
  private final int[] trained;
  private final Communicator communicator;

  /**
   * Of a network that is trained.
   *
   * @param images the training images
   * @param trained those of them that are not held out
   */
  AveragedModel(
      RunConfig config, NativeContext context, DeviceNetwork network, ImageFeed images, int[] trained,
      Communicator communicator) {
    this.config = config;
    this.context = context;
    this.network = network;
    this.images = images;
    this.trained = trained;
    this.communicator = communicator;
  }

  /**
   * Does something with the network, which is the model meanwhile. The network that is trained is as before afterwards.
   *
   * @param epoch whose images the statistics are of
   */
  <T> T with(int epoch, Supplier<T> body) {
    if (!config.optimizer().keepsAverage()) {
      return body.get();
    }
    network.useAverage();
    try {
      if (config.model().architecture().batchNorm()) {
        estimateStatistics(epoch);
      }
      return body.get();
    } finally {
      network.useTrained();
    }
  }

  private void estimateStatistics(int epoch) {
    int batchSize = config.training().batches().batchSize();
    int[] order =
        Arrays.stream(EpochOrder.shuffled(trained.length, config.training().seed(), epoch))
            .limit((long) BATCHES * batchSize)
            .map(place -> trained[place])
            .toArray();
    PipelineStage stage = communicator.stage();
    context.setEpoch(epoch);
    try (ImageFeed.Pass pass =
        images.pass(order, 0, batchSize, communicator.slice(), epoch, config.training().augmentation())) {
      for (long step = 0; pass.advance(); step++) {
        context.setBatch(pass.count());
        context.setStep(step, 0);
        try (NativeDataSet.Batch batch = pass.batch();
            NativeTensor output = network.estimateStatistics(batch.images())) {
          stage.passOn(pass, batch.labels(), output);
        }
      }
    }
    stage.passOnEnd();
  }
}
