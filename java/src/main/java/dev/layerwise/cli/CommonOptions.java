package dev.layerwise.cli;

import dev.layerwise.api.Device;
import dev.layerwise.api.Precision;
import dev.layerwise.nativelib.DeviceChoice;
import dev.layerwise.nativelib.DeviceOptions;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The options of every command that computes. An absent option ({@code null}) keeps the default. */
final class CommonOptions extends OutputOptions {
  /** Candidates for completion. */
  static final class Devices extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Devices() {
      super(List.of(DeviceOptions.AUTO, "cpu", "cuda", "reference"));
    }
  }

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
      completionCandidates = Devices.class,
      description = "Where to compute: auto (the first GPU that works, otherwise the processor), cpu, cuda (an NVIDIA GPU;"
          + " cuda:1 is the second) or reference (plain loops in float64; slow). Default: auto; a resumed run keeps its"
          + " device.")
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

  private DeviceChoice choice;

  /** These options over a base, on a device that is there. Settings of another device are not carried over. */
  DeviceOptions over(DeviceOptions base) {
    Checks.oneOf("--precision", precision == null ? "auto" : precision, new Precisions());
    String asked = Checks.or(device, base.device());
    DeviceChoice automatic = DeviceChoice.of(overrides(DeviceOptions.of(asked, base.threads())));
    String name = automatic.options().device();
    boolean same = asked.equals(base.device()) || name.equals(base.device());
    DeviceOptions wanted = overrides(same ? base.withDevice(name) : DeviceOptions.of(name, base.threads()));
    choice = new DeviceChoice(wanted, automatic.reason(), automatic.passesOverGpu());
    asksOfProcessor = !name.startsWith("cuda") && !(same && wanted.equals(base.withDevice(name)));
    return wanted;
  }

  private DeviceOptions overrides(DeviceOptions start) {
    return new DeviceOptions(
        start.device(), Checks.or(threads, start.threads()), Checks.or(precision, start.precision()),
        Checks.or(engine, start.engine()), Checks.or(tf32, start.tf32()), start.engineChoices());
  }

  /** Whether it is a usage error if the device cannot be opened; what a GPU lacks may be the machine's fault. */
  boolean asksOfProcessor() {
    return asksOfProcessor;
  }

  /** Prints the device, precision and threads in use. */
  void printInUse(DeviceOptions device, PrintWriter err) {
    err.println("computing on " + inWords(device));
    err.flush();
  }

  /** The same of a model that the library has opened. */
  void printInUse(Device device, PrintWriter err) {
    err.println("computing on " + inWords(device.name(), device.precision().toString(), device.threads()));
    err.flush();
  }

  /** The device, precision and threads in use, and why it is this device where nobody has asked for one. */
  String inWords(DeviceOptions device) {
    return inWords(device.device(), device.precision(), device.threads());
  }

  private String inWords(String device, String precision, int threads) {
    return device + " in " + precision + ", threads: " + threads
        + choice.reason().map(reason -> " (" + reason + ")").orElse("");
  }

  /** Says if there is a GPU that does not work, and why; for commands that do not print what they compute on. */
  void warnOfGpu(PrintWriter err) {
    if (choice.passesOverGpu()) {
      err.printf("layerwise: computing on %s: %s%n", choice.options().device(), choice.reason().orElseThrow());
      err.flush();
    }
  }

  /** The requested device as the library names it. */
  Device device() {
    DeviceOptions options = deviceOptions();
    return new Device(
        options.device(), options.threads(), Precision.named(options.precision()), options.engine(), options.tf32());
  }

  /** The requested device, or the one that is chosen where none is. */
  DeviceOptions deviceOptions() {
    return over(DeviceOptions.of(DeviceOptions.AUTO, 0));
  }
}
