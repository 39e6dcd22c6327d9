package dev.layerwise.cli;

import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.DeviceOptionsException;
import java.io.PrintWriter;
import java.util.ArrayList;
import picocli.CommandLine.Option;

/** What every command takes that computes. An option that is absent ({@code null}) leaves the default. */
final class CommonOptions extends OutputOptions {
  /** What can be asked for. */
  static final class Precisions extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Precisions() {
      super(DeviceOptions.PRECISIONS);
    }
  }

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description = "Where to compute: cpu (oneDNN and fused loops) or reference (plain loops, float64; slow)."
          + " Default: cpu.")
  String device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Computing threads of the CPU; 0 takes OMP_NUM_THREADS where that is set, and otherwise one per core"
          + " that this process may use. Default: 0; in a resumed run, as before.")
  Integer threads;

  @Option(
      names = "--precision",
      paramLabel = "NAME",
      completionCandidates = Precisions.class,
      description = "Of activations and of weights as they are multiplied: one of ${COMPLETION-CANDIDATES}; auto takes"
          + " bf16 where the device is made for it. Sums and the weights that are updated stay float32. Default: auto"
          + " (f32 for a model that was trained in it), for parity f32.")
  String precision;

  @Option(
      names = "--engine",
      paramLabel = "NAME",
      description = "Which implementation of the operations runs: auto, or one of the device's own (CUDA: fused for the"
          + " project's kernels, cudnn for cuDNN and cuBLAS wherever they do an operation). Default: auto.")
  String engine;

  @Option(
      names = "--tf32",
      negatable = true,
      description = "Let float32 products be rounded to ten bits of mantissa, on CUDA devices. Default: not.")
  Boolean tf32;

  private boolean asked;

  /** The device that the options ask for, over a base: what belongs to another device is not carried over. */
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
    asked = !wanted.equals(base);
    return wanted;
  }

  /** Whether it is wrong usage that a device cannot be had: what a GPU lacks may be the machine's fault. */
  boolean isMisuse(DeviceOptionsException e) {
    return asked && (device == null || !device.startsWith("cuda"));
  }

  /** Says what computes, and how. */
  static void printInUse(DeviceOptions device, PrintWriter err) {
    err.printf("computing on %s in %s, threads: %d%n", device.device(), device.precision(), device.threads());
    err.flush();
  }

  /** The device that the options ask for; the processor where they name none. */
  DeviceOptions deviceOptions() {
    return over(DeviceOptions.of("cpu", 0));
  }
}
