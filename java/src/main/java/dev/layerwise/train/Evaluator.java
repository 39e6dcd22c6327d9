package dev.layerwise.train;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import java.util.ArrayList;
import java.util.Collections;
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
     * @param number of the batch, from 0, among those of all processes
     * @param batch the pass, which has come to it
     * @param logits of each of {@link DeviceNetwork#classifiers}, the output layer's last: {@code classes} values per image
     */
    void accept(int number, ImageFeed.Pass batch, List<float[]> logits);

    /** Shows each batch to this one and then to another. */
    default BatchConsumer andThen(BatchConsumer other) {
      return (number, batch, logits) -> {
        accept(number, batch, logits);
        other.accept(number, batch, logits);
      };
    }
  }

  /**
   * Evaluates the network on some images. Each process passes whole batches, and their metrics are added up in the order of
   * batches: the result has the same bits, however many processes there are.
   *
   * @param which images these are, in a word for messages
   * @param chosen their numbers
   * @param consumer shown every batch of this process
   * @return each block's metrics over the images of all processes, the output layer's last; of at least one image, its loss
   *     a number
   * @throws LayerwiseException if none of the images can be used, or the network computes no numbers for them
   */
  public static List<BlockMetrics> evaluate(
      DeviceNetwork network, ImageFeed images, String which, int[] chosen, int batchSize, Communicator processes,
      BatchConsumer consumer) {
    BatchSlice slice = processes.slice();
    int blocks = network.measuredLayers().size();
    int batches = (chosen.length + batchSize - 1) / batchSize;
    List<BlockMetrics> ofBatches = new ArrayList<>(Collections.nCopies(batches * blocks, BlockMetrics.NONE));
    network.readMetrics(); // starts them anew
    int[] own = IntStream.of(slice.ofWholeBatches(chosen.length, batchSize)).map(place -> chosen[place]).toArray();
    try (ImageFeed.Pass pass = images.pass(own, 0, batchSize, BatchSlice.WHOLE, 0, null)) {
      while (pass.advance()) {
        int number = slice.wholeBatch((pass.position() - 1) / batchSize);
        List<float[]> logits = new ArrayList<>();
        try (NativeDataSet.Batch batch = pass.batch()) {
          network.classifyLayers(batch.images(), batch.labels(), logits::add);
        }
        List<BlockMetrics> here = network.readMetrics();
        for (int block = 0; block < blocks; block++) {
          ofBatches.set(number * blocks + block, here.get(block));
        }
        consumer.accept(number, pass, logits);
      }
    }
    List<BlockMetrics> ofAll = processes.sum(ofBatches);
    List<BlockMetrics> metrics = new ArrayList<>(Collections.nCopies(blocks, BlockMetrics.NONE));
    for (int i = 0; i < ofAll.size(); i++) {
      metrics.set(i % blocks, metrics.get(i % blocks).plus(ofAll.get(i)));
    }
    double loss = output(metrics, which, chosen.length).meanPredictionLoss();
    if (!Double.isFinite(loss)) {
      throw new LayerwiseException(
          "the network's loss on these images is " + loss + ": its weights are not usable; train it again");
    }
    return metrics;
  }

  /**
   * Measures the network while it is trained: each process passes a slice of every batch through its layers.
   *
   * @param chosen numbers of the images
   * @param processes who train it
   * @param stop asked before each batch
   * @return each block's metrics over the slices; {@code null} if it was given up because a stop was asked for
   */
  static List<BlockMetrics> measure(
      DeviceNetwork network, ImageFeed images, int[] chosen, int batchSize, Communicator processes, BooleanSupplier stop) {
    PipelineStage stage = processes.stage();
    network.readMetrics(); // starts them anew
    try (ImageFeed.Pass pass = images.pass(chosen, 0, batchSize, processes.slice(), 0, null)) {
      while (!stop.getAsBoolean()) {
        if (!pass.advance()) {
          stage.passOnEnd();
          return network.readMetrics();
        }
        if (pass.count() == 0) {
          stage.passOn(pass, null, null);
          continue;
        }
        try (NativeDataSet.Batch batch = pass.batch();
            NativeTensor output = network.measure(batch.images(), batch.labels())) {
          stage.passOn(pass, batch.labels(), output);
        }
      }
    }
    network.readMetrics(); // nobody takes these for training's
    return null;
  }

  /**
   * The output layer's metrics, of at least one image.
   *
   * @param which images these are, in a word
   * @param count of all of them
   * @throws LayerwiseException if none of the images could be used
   */
  static BlockMetrics output(List<BlockMetrics> metrics, String which, int count) {
    BlockMetrics output = metrics.get(metrics.size() - 1);
    if (output.samples() == 0) {
      throw new LayerwiseException(
          "none of the " + count + " " + which
              + " images can be used, so there is nothing to measure; repair or replace them");
    }
    return output;
  }
}
