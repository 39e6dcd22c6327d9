package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.bench.DevicePeaks;
import dev.layerwise.bench.ProcessMemory;
import dev.layerwise.bench.StepBenchmark;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.Exchanged;
import dev.layerwise.nativelib.MemoryUse;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.OperationProfile;
import dev.layerwise.train.BatchSlice;
import dev.layerwise.train.Communicator;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Times training. */
@Command(
    name = "bench",
    description = "Times training steps on random images, and the operations of a step.",
    subcommands = {BenchCommand.Step.class, BenchCommand.Operations.class})
final class BenchCommand implements Callable<Integer> {
  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    throw new ParameterException(spec.commandLine(), "bench needs a subcommand: step or ops");
  }

  /** Whole steps. */
  @Command(
      name = "step",
      resourceBundle = "dev.layerwise.cli.SettingDefaults$OfBench",
      description = "Times whole training steps: loading images from the device's memory, the steps of all blocks, and"
          + " that of the output layer. Under mpirun, those of all processes together, and what they exchange.")
  static final class Step implements Callable<Integer> {
    @Mixin(name = CommonOptions.NAME)
    private CommonOptions common;

    @Mixin private BenchOptions bench;

    @Spec private CommandSpec spec;

    /** What one process measured: in all steps, what it exchanged and how long they took; its peak resident memory, or null. */
    private record OfProcess(
        @JsonProperty("exchanged") Exchanged exchanged, @JsonProperty("seconds") double seconds,
        @JsonProperty("residentBytes") Long residentBytes) {
      static Long mostResidentBytes(List<OfProcess> all) {
        return all.stream().map(OfProcess::residentBytes).filter(Objects::nonNull).max(Long::compare).orElse(null);
      }
    }

    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    private record OneStep(int step, double ms) {}

    /**
     * What several processes exchange in a step.
     *
     * @param processes how many there are
     * @param exchanges calls of all processes together
     * @param receivedBytes by the process that receives most
     * @param exchangeShare part of the step's time that a process spends in exchanges, on average
     */
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    private record Exchange(int processes, double exchanges, double receivedBytes, double exchangeShare) {}

    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    private record Result(
        String model, String loss, String device, String precision, int threads, int batchSize, int steps,
        double imagesPerSecond, double stepMsMedian, double stepMsMin, Long peakRssBytes, long activationBytes,
        long parameterBytes, double gflopPerImage, double gflopPerSecond, String engineChoices,
        @JsonUnwrapped Exchange exchange) {}

    @Override
    public Integer call() {
      return Launch.together(
          processes -> {
            measure(processes);
            return 0;
          });
    }

    private void measure(Communicator processes) {
      PrintWriter out = spec.commandLine().getOut();
      bench.check();
      ModelConfig model = bench.model();
      DeviceOptions asked = bench.device(common);
      try (NativeContext context = NativeContext.create(asked, 1, new NativeContext.Together(processes.ofDevices()));
          StepBenchmark benchmark = bench.start(context, model, processes.slice())) {
        DeviceOptions device = context.inUse();
        if (processes.isFirst()) {
          Launch.warnOfCores(device.threads(), asked.threads() != 0, spec.commandLine().getErr());
          common.printInUse(device, spec.commandLine().getErr());
        }
        Exchanged before = context.exchanged();
        double[] seconds = new double[bench.steps];
        for (int i = 0; i < bench.steps; i++) {
          seconds[i] = benchmark.step();
          if (common.json && processes.isFirst()) {
            JsonLines.print(out, "step", new OneStep(i + 1, 1e3 * seconds[i]));
          }
        }
        Exchanged exchanged = context.exchanged().since(before);
        benchmark.requireFiniteLoss();
        OfProcess own =
            new OfProcess(exchanged, Arrays.stream(seconds).sum(), ProcessMemory.peakResidentBytes());
        List<OfProcess> all = processes.gather(own, OfProcess.class);
        Arrays.sort(seconds);
        double median = (seconds[(bench.steps - 1) / 2] + seconds[bench.steps / 2]) / 2;
        double flops = benchmark.flopsPerImage();
        MemoryUse memory = context.memory();
        Result result =
            new Result(
                model.name(), model.losses().name(), device.device(), device.precision(),
                device.threads(), bench.batchSize(), bench.steps, bench.batchSize() / median, 1e3 * median,
                1e3 * seconds[0], OfProcess.mostResidentBytes(all), memory.arenaPeakBytes(), memory.parameterBytes(),
                flops * 1e-9, flops * 1e-9 * bench.batchSize() / median, common.verbose ? context.engineChoices() : null,
                exchange(all));
        if (processes.isFirst()) {
          print(out, result);
        }
      }
    }

    private Exchange exchange(List<OfProcess> all) {
      return all.size() == 1 ? null
          : new Exchange(
              all.size(), all.get(0).exchanged().exchanges() / (double) bench.steps,
              all.stream().mapToLong(of -> of.exchanged().receivedBytes()).max().orElseThrow() / (double) bench.steps,
              all.stream().mapToDouble(of -> of.exchanged().seconds() / of.seconds()).average().orElseThrow());
    }

    private void print(PrintWriter out, Result result) {
      if (common.json) {
        JsonLines.print(out, "result", result);
        return;
      }
      out.printf(
          "%s %s, batch %d, %s in %s, %d threads: %.1f images/s%n", result.model(), result.loss(), result.batchSize(),
          result.device(), result.precision(), result.threads(), result.imagesPerSecond());
      out.printf(
          "%d steps: median %.2f ms, fastest %.2f ms; %.3f GFLOP per image, %.0f GFLOP/s%n", result.steps(),
          result.stepMsMedian(), result.stepMsMin(), result.gflopPerImage(), result.gflopPerSecond());
      out.printf(
          "activations and temporary tensors %.0f MiB, parameters and optimizer %.0f MiB",
          mebibytes(result.activationBytes()), mebibytes(result.parameterBytes()));
      if (result.peakRssBytes() != null) {
        out.printf("; peak resident memory %.0f MiB", mebibytes(result.peakRssBytes()));
      }
      out.println(result.exchange() == null ? "" : ", of each process");
      if (result.exchange() != null) {
        out.printf(
            "%d processes: each receives %.2f MiB in %.0f exchanges per step, which take %.1f%% of the time%n",
            result.exchange().processes(), result.exchange().receivedBytes() / (1024 * 1024),
            result.exchange().exchanges(), 100 * result.exchange().exchangeShare());
      }
      if (result.engineChoices() != null && !result.engineChoices().isEmpty()) {
        out.print(result.engineChoices());
      }
      out.flush();
    }
  }

  private static double mebibytes(long bytes) {
    return bytes / (1024.0 * 1024);
  }

  /** The operations of a step. */
  @Command(
      name = "ops",
      resourceBundle = "dev.layerwise.cli.SettingDefaults$OfBench",
      description = {
        "Times every operation of a training step and compares it with its floor, the roofline: the time of its"
            + " arithmetic or memory traffic, whichever is longer, at the peak rates just measured on this device.",
        "Each operation is waited for, so the sum is slightly longer than a step."
      })
  static final class Operations implements Callable<Integer> {
    @Mixin(name = CommonOptions.NAME)
    private CommonOptions common;

    @Mixin private BenchOptions bench;

    @Spec private CommandSpec spec;

    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    private record Peaks(double gflopPerSecond, double gigabytesPerSecond) {}

    /** An operation's part in one step. */
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    private record Line(
        String operation, String shapes, double calls, double ms, double share, double gflopPerSecond,
        double gigabytesPerSecond, double floorMs, double timesFloor) {}

    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    private record Total(double ms, double floorMs, double timesFloor, double imagesPerSecond) {}

    @Override
    public Integer call() {
      Launch.requireAlone("bench ops");
      PrintWriter out = spec.commandLine().getOut();
      bench.check();
      ModelConfig model = bench.model();
      DeviceOptions device = NativeContext.resolve(bench.device(common));
      common.printInUse(device, spec.commandLine().getErr());
      DevicePeaks peaks = DevicePeaks.measure(device);
      List<Line> lines;
      try (NativeContext context = NativeContext.profiled(device, 1);
          StepBenchmark benchmark = bench.start(context, model, BatchSlice.WHOLE)) {
        List<OperationProfile> before = context.profile();
        IntStream.range(0, bench.steps).forEach(i -> benchmark.step());
        lines = lines(before, context.profile(), peaks);
        benchmark.requireFiniteLoss();
      }
      double ms = lines.stream().mapToDouble(Line::ms).sum();
      double floor = lines.stream().mapToDouble(Line::floorMs).sum();
      print(
          out, new Peaks(peaks.flopsPerSecond() * 1e-9, peaks.bytesPerSecond() * 1e-9), lines,
          new Total(ms, floor, ms / floor, 1e3 * bench.batchSize() / ms));
      return 0;
    }

    private List<Line> lines(List<OperationProfile> before, List<OperationProfile> after, DevicePeaks peaks) {
      double all = seconds(after) - seconds(before);
      return after.stream()
          .map(
              now -> {
                OperationProfile then =
                    before.stream()
                        .filter(p -> p.operation().equals(now.operation()) && p.shapes().equals(now.shapes()))
                        .findFirst()
                        .orElseThrow(); // the warm-up did the same
                double calls = (now.calls() - then.calls()) / (double) bench.steps;
                double seconds = (now.seconds() - then.seconds()) / bench.steps;
                double floor = calls * peaks.floorSeconds(now.flops(), now.bytes());
                return new Line(
                    now.operation(), now.shapes(), calls, 1e3 * seconds, seconds * bench.steps / all,
                    1e-9 * calls * now.flops() / seconds, 1e-9 * calls * now.bytes() / seconds, 1e3 * floor,
                    seconds / floor);
              })
          .sorted(Comparator.comparingDouble(Line::ms).reversed())
          .toList();
    }

    private static double seconds(List<OperationProfile> profiles) {
      return profiles.stream().mapToDouble(OperationProfile::seconds).sum();
    }

    private void print(PrintWriter out, Peaks peaks, List<Line> lines, Total total) {
      if (common.json) {
        JsonLines.print(out, "peaks", peaks);
        lines.forEach(line -> JsonLines.print(out, "operation", line));
        JsonLines.print(out, "result", total);
        return;
      }
      out.printf(
          "best rates measured: %.0f GFLOP/s in a matrix product, %.1f GB/s in an addition%n%n", peaks.gflopPerSecond(),
          peaks.gigabytesPerSecond());
      out.printf("%-20s %-32s %5s %9s %6s %8s %7s %9s %7s%n", "operation", "shapes", "calls", "ms", "share", "GFLOP/s",
          "GB/s", "floor ms", "x floor");
      for (Line line : lines) {
        out.printf("%-20s %-32s %5.0f %9.3f %5.1f%% %8.0f %7.1f %9.3f %7.2f%n", line.operation(), line.shapes(),
            line.calls(), line.ms(), 100 * line.share(), line.gflopPerSecond(), line.gigabytesPerSecond(),
            line.floorMs(), line.timesFloor());
      }
      out.printf("%na step: %.2f ms, %.2f times the floor of %.2f ms; %.1f images/s%n", total.ms(), total.timesFloor(),
          total.floorMs(), total.imagesPerSecond());
      out.flush();
    }
  }
}
