package dev.layerwise.bench;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.TrainingCosts;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import dev.layerwise.train.BatchSlice;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * One training step again and again, as a run does it: a batch of random byte images is cut out of the data set on the
 * device, cropped, normalized, and trained on. What images show does not change the work.
 */
public final class StepBenchmark implements AutoCloseable {
  private static final int BATCHES = 4; // so that steps see different images
  private static final double LEARNING_RATE = 1e-4;

  private final NativeContext context;
  private final DeviceNetwork network;
  private final NativeDataSet images;
  private final BatchSlice slice;
  private final int batchSize;
  private final int[] order;
  private final Augmentation augmentation;
  private long step;

  /**
   * Builds the network on a device; closing the benchmark closes the network, not the context.
   *
   * @param slice this process's part of every batch
   * @param batchSize images of the whole batch
   */
  public StepBenchmark(NativeContext context, ModelConfig model, Optimizer optimizer, BatchSlice slice, int batchSize) {
    this.context = context;
    this.slice = slice;
    this.batchSize = batchSize;
    network = new DeviceNetwork(context, model, optimizer);
    int count = BATCHES * batchSize;
    int channels = model.images().channels();
    byte[] pixels = new byte[Math.multiplyExact(count, model.images().elements())];
    new Random(1).nextBytes(pixels);
    int[] labels = IntStream.range(0, count).map(i -> i % model.classes()).toArray();
    float[] mean = new float[channels];
    float[] deviation = new float[channels];
    Arrays.fill(mean, 0.5f);
    Arrays.fill(deviation, 0.29f); // of uniform bytes
    images =
        context.dataSet(
            pixels, labels, count, channels, model.images().height(), model.images().width(), model.classes(), mean, deviation);
    order = IntStream.range(0, count).toArray();
    augmentation = Settings.with(Augmentation.NONE, "crop_padding", 4, "horizontal_flip", true);
  }

  /** One step, done when this returns; the seconds it took. */
  public double step() {
    long begin = System.nanoTime();
    int own = slice.count(batchSize);
    context.setBatch(own);
    context.setStep(step, LEARNING_RATE);
    images.choose(order, (int) (step % BATCHES) * batchSize + slice.begin(batchSize), own);
    context.step(own, this::train);
    context.synchronize();
    step++;
    return (System.nanoTime() - begin) * 1e-9;
  }

  private void train() {
    try (NativeDataSet.Batch batch = images.batch(augmentation)) {
      network.trainStep(batch.images(), batch.labels());
    }
  }

  /** See {@link TrainingCosts#flopsPerImage}. */
  public double flopsPerImage() {
    return TrainingCosts.flopsPerImage(network);
  }

  /** Throws {@link LayerwiseException} unless the losses so far are numbers: steps that compute none are not worth timing. */
  public void requireFiniteLoss() {
    boolean finite =
        network.readMetrics().stream()
            .allMatch(metrics -> Double.isFinite(metrics.predictionLoss() + metrics.similarityLoss()));
    if (!finite) {
      throw new LayerwiseException("the steps computed a loss that is not a number; their time says nothing");
    }
  }

  @Override
  public void close() {
    images.close();
    network.close();
  }
}
