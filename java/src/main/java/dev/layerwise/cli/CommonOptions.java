package dev.layerwise.cli;

import dev.layerwise.nativelib.DeviceOptions;
import java.io.PrintWriter;
import java.util.ArrayList;
import picocli.CommandLine.Option;

/** The options of every command that computes. An absent option ({@code null}) keeps the default. */
final class CommonOptions extends OutputOptions {
  /** Candidates for completion and help. */
  static final class Precisions extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Precisions() {
      super(DeviceOptions.PRECISIONS);
    }
  }

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description = "Where to compute: cpu, cuda (an NVIDIA GPU; cuda:1 is the second) or reference (plain loops in"
          + " float64; slow). Default: cpu.")
  String device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Number of CPU threads; 0 takes OMP_NUM_THREADS if it is set, otherwise one thread per core available"
          + " to this process. Default: 0; a resumed run keeps its number.")
  Integer threads;

  @Option(
      names = "--precision",
      paramLabel = "NAME",
      completionCandidates = Precisions.class,
      description = "Precision of activations and of weights in products: one of ${COMPLETION-CANDIDATES}; auto uses bf16"
          + " if the device supports it well. Sums and the weights being updated stay float32. Default: auto (f32 for a"
          + " model trained in f32, and for parity on the cpu).")
  String precision;

  @Option(
      names = "--engine",
      paramLabel = "NAME",
      description = "Implementation of the operations: auto, or one of the device's engines (cuda: fused for the project's"
          + " kernels, hopper for those made for GPUs like the H100 and cudnn for cuDNN and cuBLAS, wherever they support an"
          + " operation; cpu: direct or winograd for 3×3 convolutions). Default: auto.")
  String engine;

  @Option(
      names = "--tf32",
      negatable = true,
      description = "On cuda, allow TF32: float32 products with ten bits of mantissa. Default: off.")
  Boolean tf32;

  /** Whether the last device that was asked for is another than its base, and not a GPU. */
  private boolean asksOfProcessor;

  /** These options over a base. Settings of another device are not carried over. */
  DeviceOptions over(DeviceOptions base) {
    Checks.oneOf("--precision", precision == null ? "auto" : precision, new Precisions());
    boolean same = device == null || device.equals(base.device());
    DeviceOptions start = same ? base : DeviceOptions.of(device, base.threads());
    DeviceOptions wanted =
        new DeviceOptions(
            start.device(),
            Checks.or(threads, start.threads()),
            Checks.or(precision, start.precision()),
            Checks.or(engine, start.engine()),
            Checks.or(tf32, start.tf32()),
            start.engineChoices());
    asksOfProcessor = !wanted.equals(base) && !wanted.device().startsWith("cuda");
    return wanted;
  }

  /** Whether it is a usage error if the device cannot be opened; what a GPU lacks may be the machine's fault. */
  boolean asksOfProcessor() {
    return asksOfProcessor;
  }

  /** Prints the device, precision and threads in use. */
  static void printInUse(DeviceOptions device, PrintWriter err) {
    err.printf("computing on %s in %s, threads: %d%n", device.device(), device.precision(), device.threads());
    err.flush();
  }

  /** The requested device; the CPU if none is requested. */
  DeviceOptions deviceOptions() {
    return over(DeviceOptions.of("cpu", 0));
  }
}
