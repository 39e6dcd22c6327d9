package dev.layerwise.nativelib;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * What {@link DeviceOptions#AUTO} stands for on a machine: the first GPU that works, otherwise the processor. A device that is
 * asked for by its name stays that.
 *
 * @param options with the name of a device
 * @param reason why this one, a few words; empty if it was asked for by its name
 * @param passesOverGpu whether there is a GPU that does not work, which the reason names
 */
public record DeviceChoice(DeviceOptions options, Optional<String> reason, boolean passesOverGpu) {
  /** What is there where NVIDIA's driver is: on Linux, and in Windows' Linux. */
  private static final List<Path> DRIVERS = List.of(Path.of("/dev/nvidiactl"), Path.of("/dev/dxg"));

  /** Opens GPUs until one works, where there are any. */
  public static DeviceChoice of(DeviceOptions asked) {
    if (!asked.device().equals(DeviceOptions.AUTO)) {
      return new DeviceChoice(asked, Optional.empty(), false);
    }
    boolean hasDriver = DRIVERS.stream().anyMatch(Files::exists); // else loading CUDA would only cost time
    return of(asked, hasDriver ? CudaLibraries.devices() : List.of(), DeviceChoice::problemOf);
  }

  /**
   * The rule of {@link #of(DeviceOptions)}.
   *
   * @param gpus names of devices, the first choice first
   * @param problem why a device does not work; empty if it does
   */
  static DeviceChoice of(
      DeviceOptions asked, List<String> gpus, Function<DeviceOptions, Optional<String>> problem) {
    String failures = "";
    for (String gpu : gpus) {
      DeviceOptions options = asked.withDevice(gpu);
      Optional<String> found = problem.apply(options);
      if (found.isEmpty()) {
        return new DeviceChoice(
            options, Optional.of("the first GPU that works" + failures), !failures.isEmpty());
      }
      failures += "; " + gpu + " does not work: " + found.get();
    }
    return new DeviceChoice(
        asked.withDevice("cpu"),
        Optional.of(failures.isEmpty() ? "no NVIDIA GPU here" : failures.substring("; ".length())),
        !failures.isEmpty());
  }

  private static Optional<String> problemOf(DeviceOptions options) {
    try (NativeContext context = NativeContext.create(options, 0)) {
      return Optional.empty();
    } catch (DeviceUnavailableException e) {
      return Optional.of(Stream.of(e.getMessage().split("\n")).findFirst().orElse(""));
    }
  }
}
