package dev.layerwise.train;

import dev.layerwise.data.ImageSet;
import dev.layerwise.model.Network;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import java.util.List;
import java.util.stream.IntStream;

/** Passes a whole set of images through a network in evaluation mode. */
public final class Evaluator {
  private Evaluator() {}

  /** Is shown the logits of each batch: {@code classes} values per image, the first image at {@code from}. */
  @FunctionalInterface
  public interface LogitsConsumer {
    void accept(int from, int count, float[] logits);
  }

  /**
   * Evaluates the network on all images.
   *
   * @param onDevice the images on the network's device
   * @param consumer shown every batch's logits; {@code null}: they stay on the device
   * @return each block's metrics over the set, the output layer's last
   */
  public static List<BlockMetrics> evaluate(
      Network network, NativeDataSet onDevice, ImageSet images, int batchSize, LogitsConsumer consumer) {
    int[] order = IntStream.range(0, images.count()).toArray();
    network.readMetrics(); // starts them anew
    for (int from = 0; from < order.length; from += batchSize) {
      int count = Math.min(batchSize, order.length - from);
      try (NativeDataSet.Batch batch = onDevice.batch(order, from, count, null);
          NativeTensor logits = network.evaluate(batch.images(), batch.labels())) {
        if (consumer != null) {
          consumer.accept(from, count, logits.read());
        }
      }
    }
    return network.readMetrics();
  }
}
