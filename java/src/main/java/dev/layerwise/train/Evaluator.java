package dev.layerwise.train;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;

/** Passes a whole set of images through a network in evaluation mode. */
public final class Evaluator {
  private Evaluator() {}

  /** Is shown each batch. */
  @FunctionalInterface
  public interface BatchConsumer {
    /**
     * Looks at a batch.
     *
     * @param batch the pass, which has come to it
     * @param logits {@code classes} values per image
     */
    void accept(ImageFeed.Pass batch, float[] logits);
  }

  /**
   * Evaluates the network on the first {@code count} images.
   *
   * @param consumer shown every batch; {@code null}: the logits stay on the device
   * @return each block's metrics over the images, the output layer's last; of at least one image, its loss a number
   * @throws LayerwiseException if none of the images can be used, or the network computes no numbers for them
   */
  public static List<BlockMetrics> evaluate(
      DeviceNetwork network, ImageFeed images, int count, int batchSize, BatchConsumer consumer) {
    List<BlockMetrics> metrics =
        evaluate(network, images, count, batchSize, BatchSlice.WHOLE, consumer, () -> false);
    double loss = output(metrics, count).meanPredictionLoss();
    if (!Double.isFinite(loss)) {
      throw new LayerwiseException(
          "the network's loss on these images is " + loss + ": its weights are not usable; train it again");
    }
    return metrics;
  }

  /**
   * The same, but given up when a stop is asked for.
   *
   * @param slice of each batch, to which the metrics belong
   * @param stop asked before each batch
   * @return {@code null} if it was given up
   */
  static List<BlockMetrics> evaluate(
      DeviceNetwork network, ImageFeed images, int count, int batchSize, BatchSlice slice, BatchConsumer consumer,
      BooleanSupplier stop) {
    int[] order = IntStream.range(0, count).toArray();
    network.readMetrics(); // starts them anew
    try (ImageFeed.Pass pass = images.pass(order, 0, batchSize, slice, 0, null)) {
      while (pass.advance()) {
        if (stop.getAsBoolean()) {
          network.readMetrics(); // nobody takes these for training's
          return null;
        }
        if (pass.count() == 0) {
          continue;
        }
        try (NativeDataSet.Batch batch = pass.batch();
            NativeTensor logits = network.evaluate(batch.images(), batch.labels())) {
          if (consumer != null) {
            consumer.accept(pass, logits.read());
          }
        }
      }
    }
    return network.readMetrics();
  }

  /**
   * The output layer's metrics, of at least one image.
   *
   * @param count of all images
   * @throws LayerwiseException if none of the images could be used
   */
  static BlockMetrics output(List<BlockMetrics> metrics, int count) {
    BlockMetrics output = metrics.get(metrics.size() - 1);
    if (output.samples() == 0) {
      throw new LayerwiseException(
          "none of the " + count + " test images can be used, so there is nothing to measure; repair or replace them");
    }
    return output;
  }
}
