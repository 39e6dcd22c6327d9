package dev.layerwise.benchmarks;

import dev.layerwise.data.EpochOrder;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Settings;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Images per second that one core cuts out of a CIFAR-sized data set in shuffled order: random crop with 4 pixels of
 * padding, flip, cutout, normalization, through the Java boundary. What is fed to a network must not be slower than what
 * the network can take.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(3)
public class LoadBatchBenchmark {
  private static final int IMAGES = 50_000;
  private static final int BATCH = 128;
  private static final Augmentation AUGMENTATION =
      Settings.with(Augmentation.NONE, "crop_padding", 4, "horizontal_flip", true, "n_holes", 1, "length", 16);

  private NativeContext context;
  private NativeDataSet images;
  private int[] order;
  private int from;

  /** Random images: what they show does not change the work. */
  @Setup(Level.Trial)
  public void setUp() {
    byte[] pixels = new byte[IMAGES * 3 * 32 * 32];
    new Random(1).nextBytes(pixels);
    int[] labels = new int[IMAGES];
    for (int i = 0; i < IMAGES; i++) {
      labels[i] = i % 100;
    }
    context = NativeContext.create("cpu", 1, 1);
    images =
        context.dataSet(
            pixels, labels, IMAGES, 3, 32, 32, 100, new float[] {0.438f, 0.418f, 0.377f},
            new float[] {0.300f, 0.287f, 0.294f});
    order = EpochOrder.shuffled(IMAGES, 1, 1);
  }

  /** One augmented batch; a step count of its own, so that its crops differ from the last one's. */
  @Benchmark
  @OperationsPerInvocation(BATCH)
  public long[] augmentedBatch() {
    context.setStep(from, 0);
    images.choose(order, from, BATCH);
    try (NativeDataSet.Batch batch = images.batch(AUGMENTATION)) {
      from = from + 2 * BATCH > IMAGES ? 0 : from + BATCH;
      long[] shape = batch.images().shape();
      if (shape[0] != BATCH) {
        throw new IllegalStateException("the batch holds " + shape[0] + " images");
      }
      return shape;
    }
  }

  /** Gives the memory back. */
  @TearDown(Level.Trial)
  public void tearDown() {
    images.close();
    context.close();
  }
}
