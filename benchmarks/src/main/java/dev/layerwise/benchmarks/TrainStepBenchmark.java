package dev.layerwise.benchmarks;

import dev.layerwise.nativelib.BlockConfig;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.nativelib.generated.LayerwiseApi.BlockKind;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** One local training step, through the Java API, of a hidden block of the MNIST mlp (3×1024). */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 2)
@Fork(2)
public class TrainStepBenchmark {
  private static final int CLASSES = 10;

  @Param("cpu")
  public String device;

  /** Computing threads; 0: one per core. */
  @Param("0")
  public int threads;

  @Param({"pred", "predsim"})
  public String loss;

  /** 784: the block that sees the images; 1024: those behind it. */
  @Param({"784", "1024"})
  public int inputs;

  @Param("128")
  public int batch;

  private NativeContext context;
  private NativeBlock block;
  private NativeTensor x;
  private NativeTensor labels;
  private long step;

  /** Samples are normal numbers, classes uniform: the time does not depend on what is learned. */
  @Setup(Level.Trial)
  public void open() {
    context = NativeContext.create(device, threads, 1);
    BlockConfig config =
        new BlockConfig("layers.0", BlockKind.LAYERWISE_LINEAR)
            .shapes(inputs, 1, 1, 1024)
            .losses(Map.of("loss", loss, "classes", CLASSES));
    config.fields().negative_slope(0.01).dropout(0.1);
    block = context.block(config);
    Random random = new Random(1);
    float[] values = new float[batch * inputs];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    x = context.tensor(values, batch, inputs, 1, 1);
    labels = context.labels(random.ints(batch, 0, CLASSES).toArray());
  }

  @Benchmark
  public void linearBlock() {
    context.setStep(step++, 5e-4);
    block.trainStep(x, labels, null).close();
  }

  /** A step that computed nothing, or numbers that are none, is not worth timing. */
  @TearDown(Level.Iteration)
  public void check() {
    BlockMetrics metrics = block.metrics();
    if (metrics.samples() < batch || !(metrics.predictionLoss() + metrics.similarityLoss() > 0)) {
      throw new IllegalStateException("the step does not train: " + metrics);
    }
  }

  @TearDown(Level.Trial)
  public void close() {
    context.close();
  }
}
