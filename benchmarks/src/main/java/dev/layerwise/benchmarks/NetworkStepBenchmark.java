package dev.layerwise.benchmarks;

import dev.layerwise.bench.StepBenchmark;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import dev.layerwise.train.BatchSlice;
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

/**
 * A whole predsim training step, images out of bytes included, as the training loop does it. The native program {@code
 * step_benchmark} does the same through the C API alone: the difference is what Java and the bindings cost.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 5)
@Measurement(iterations = 5, time = 10)
@Fork(3)
public class NetworkStepBenchmark {
  private static final int BATCH = 128;

  /** mlp: 3×1024 on 28×28 images of 10 classes; vgg8b: 32×32 colour images of 100. */
  @Param({"mlp", "vgg8b"})
  public String model;

  @Param("2")
  public int threads;

  private NativeContext context;
  private StepBenchmark steps;

  @Setup(Level.Trial)
  public void open() {
    boolean mlp = model.equals("mlp");
    context = NativeContext.create(DeviceOptions.of("cpu", threads), 1);
    ModelConfig config =
        new ModelConfig(
            Settings.with(
                Architecture.DEFAULT, "model", model, "num_layers", mlp ? 3 : 1, "nonlin", "leakyrelu"),
            Losses.DEFAULT, mlp ? new ImageShape(1, 28, 28) : new ImageShape(3, 32, 32), mlp ? 10 : 100, null);
    steps = new StepBenchmark(context, config, Optimizer.DEFAULT, BatchSlice.WHOLE, BATCH);
  }

  @Benchmark
  public double step() {
    return steps.step();
  }

  /** Steps that compute no numbers are not worth timing. */
  @TearDown(Level.Iteration)
  public void check() {
    steps.requireFiniteLoss();
  }

  @TearDown(Level.Trial)
  public void close() {
    steps.close();
    context.close();
  }
}
