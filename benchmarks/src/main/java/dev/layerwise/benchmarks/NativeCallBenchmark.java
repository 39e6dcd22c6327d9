package dev.layerwise.benchmarks;

import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What crossing from Java into the native library costs: a call that does almost nothing, and a tensor made and closed. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(2)
public class NativeCallBenchmark {
  private final float[] values = new float[16];
  private NativeContext context;
  private long step;

  @Setup(Level.Trial)
  public void open() {
    context = NativeContext.create("cpu", 1, 1);
  }

  @Benchmark
  public void setStep() {
    context.setStep(step++, 1e-4);
  }

  @Benchmark
  public long smallTensor() {
    try (NativeTensor tensor = context.tensor(values, 1, values.length, 1, 1)) {
      return tensor.shape()[1];
    }
  }

  @TearDown(Level.Trial)
  public void close() {
    context.close();
  }
}
