package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.stream.ImageReader;
import dev.layerwise.nativelib.CudaLibraries;
import dev.layerwise.nativelib.DeviceChoice;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeLibrary;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows what this machine and this build can do. */
@Command(
    name = "doctor",
    description = "Shows the version, the processor's features, which devices work (or why not), the CUDA libraries and"
        + " GPUs, which device is taken where none is asked for, whether several processes can train together, what decodes JPEG files, and where data sets were found.")
final class DoctorCommand implements Callable<Integer> {
  private static final List<String> DEVICES = List.of("cpu", "reference", "cuda");

  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Look for data only here. Default: the usual places.")
  private Path dataDir;

  @Spec private CommandSpec spec;

  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  private record Report(
      String version, String java, String system, List<String> cpuFeatures, List<Device> devices, Automatic auto,
      CudaLibraries.Inventory cuda, Mpi mpi, Jpeg jpeg, List<Data> datasets) {}

  /** What several processes need: the library if it works, otherwise the reason why not. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Mpi(boolean works, String library, String reason) {}

  /** What decodes JPEG files, and why it is not the faster one. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Jpeg(String decoder, String reason) {}

  /** A device: its threads if it works, otherwise the reason why not. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Device(String name, boolean works, Integer threads, String reason) {}

  /** The device that is taken where none is asked for. */
  private record Automatic(String device, String reason) {}

  /** A data set and where its files are; {@code null} if they were not found. */
  private record Data(String name, String location) {}

  @Override
  public Integer call() {
    List<String> devices = common.device == null ? DEVICES : List.of(common.device);
    Report report =
        new Report(
            NativeLibrary.version(),
            System.getProperty("java.vm.name") + " " + System.getProperty("java.version"),
            System.getProperty("os.name") + " " + System.getProperty("os.arch"),
            List.of(NativeLibrary.cpuFeatures().split(" ")),
            devices.stream().map(this::probe).toList(),
            chooseDevice(),
            CudaLibraries.inventory(),
            findMpi(),
            findJpeg(),
            findData());
    PrintWriter out = spec.commandLine().getOut();
    if (common.json) {
      JsonLines.print(out, "doctor", report);
    } else {
      print(out, report);
    }
    boolean asked = common.device != null;
    return asked && !report.devices().get(0).works() ? 1 : 0;
  }

  private Device probe(String name) {
    try (NativeContext context = NativeContext.create(common.over(DeviceOptions.of(name, 0)), 0)) {
      return new Device(name, true, context.threads(), null);
    } catch (LayerwiseException e) {
      return new Device(name, false, null, e.getMessage());
    }
  }

  private static Automatic chooseDevice() {
    DeviceChoice choice = DeviceChoice.of(DeviceOptions.of(DeviceOptions.AUTO, 0));
    return new Automatic(choice.options().device(), choice.reason().orElseThrow());
  }

  private static Mpi findMpi() {
    try {
      return new Mpi(true, NativeCommunicator.mpi(), null);
    } catch (LayerwiseException e) {
      return new Mpi(false, null, e.getMessage());
    }
  }

  private static Jpeg findJpeg() {
    String problem = ImageReader.jpegProblem().orElse(null);
    return new Jpeg(problem == null ? "libjpeg-turbo" : "Java, slower", problem);
  }

  private List<Data> findData() {
    List<Data> found = new ArrayList<>();
    for (String name : DataSets.names()) {
      DataSetInfo info = DataSets.info(name);
      Optional<Path> location = DataSets.locate(name, dataDir);
      found.add(new Data(name, location.map(Path::toString).orElse(info.embedded() ? "included with the program" : null)));
    }
    return found;
  }

  private static void print(PrintWriter out, Report report) {
    out.printf("layerwise %s%n%s, %s%n", report.version(), report.java(), report.system());
    out.printf("processor: %s%n%ndevices%n", String.join(" ", report.cpuFeatures()));
    for (Device device : report.devices()) {
      String state = device.works() ? "works, threads: " + device.threads() : "does not work: " + device.reason();
      out.printf("  %-16s %s%n", device.name(), state);
    }
    out.printf("  %-16s %s: %s%n", DeviceOptions.AUTO, report.auto().device(), report.auto().reason());
    printCuda(out, report.cuda());
    out.printf(
        "%nseveral processes%n  %-16s %s%n", "MPI",
        report.mpi().works() ? report.mpi().library() : "does not work: " + report.mpi().reason());
    Jpeg jpeg = report.jpeg();
    out.printf(
        "%nimages%n  %-16s by %s%s%n", "JPEG", jpeg.decoder(), jpeg.reason() == null ? "" : ": " + jpeg.reason());
    out.printf("%ndata%n");
    for (Data data : report.datasets()) {
      out.printf("  %-16s %s%n", data.name(), data.location() == null ? "not found" : data.location());
    }
    out.flush();
  }

  private static void printCuda(PrintWriter out, CudaLibraries.Inventory cuda) {
    out.printf("%nCUDA%n");
    if (cuda.problem() != null) {
      out.printf("  %s%n", cuda.problem());
    }
    for (CudaLibraries.Library library : cuda.libraries()) {
      out.printf("  %-16s %s%n", library.name(), library.version() == null ? library.problem() : library.version());
    }
    for (CudaLibraries.Gpu gpu : cuda.gpus()) {
      out.printf(
          "  %-16s %s, compute capability %s, %.1f GiB, %.1f GiB free%n",
          gpu.device(), gpu.name(), gpu.capability(), gibibytes(gpu.memoryBytes()), gibibytes(gpu.freeBytes()));
    }
  }

  private static double gibibytes(long bytes) {
    return bytes / (double) (1L << 30);
  }
}
