package dev.layerwise.nativelib;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.net.URL;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.cuda.global.nccl;
import org.bytedeco.javacpp.ClassProperties;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * NVIDIA's libraries from wherever JavaCPP finds them: the jars of its CUDA presets, a CUDA installation, the folders
 * of {@code platform.preloadpath} and {@code java.library.path}. They are touched when a CUDA device is asked for, or
 * asked about, and never else.
 */
public final class CudaLibraries {
  private static final List<String> RUNTIME = List.of("cudart@.13");

  /** In the order in which they need each other. */
  private static final List<String> ENGINES =
      List.of(
          "cublasLt@.13", "cublas@.13", "cudnn_graph@.9", "cudnn_ops@.9", "cudnn_engines_precompiled@.9",
          "cudnn_engines_runtime_compiled@.9", "cudnn_heuristic@.9", "cudnn_cnn@.9", "cudnn@.9");

  /** For GPUs of several processes. */
  private static final String COLLECTIVES = "nccl@.2";

  /** Where launchers number the processes that they have started on this machine. */
  private static final List<String> LOCAL_RANK =
      List.of("OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID");

  private static final Pattern MISSING_FILE = Pattern.compile("(lib\\w+\\.so[.\\d]*): cannot open");

  private CudaLibraries() {}

  /**
   * A library, or the driver.
   *
   * @param version such as "13.1"; {@code null} where it is missing
   * @param problem why it is missing, one sentence; {@code null} where it is not
   */
  public record Library(String name, String version, String problem) {}

  /**
   * A CUDA device.
   *
   * @param device what it is called here: {@code cuda:0}
   * @param capability its compute capability: "9.0"
   */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  public record Gpu(String device, String name, String capability, long memoryBytes, long freeBytes) {}

  /**
   * What of CUDA this machine has.
   *
   * @param problem why nothing can be said about it, one sentence; {@code null} where the rest is known
   */
  public record Inventory(List<Library> libraries, List<Gpu> gpus, String problem) {}

  /**
   * Loads what the CUDA backend needs, so that it finds it under its name. What is not there is left to the backend,
   * which looks for it in more places and says what is missing.
   *
   * @param engine {@code fused} and {@code hopper} need neither cuBLAS nor cuDNN
   * @param together whether several processes train together, and need NCCL
   * @throws DeviceUnavailableException if a program that uses the library has left out the classes that look for them
   */
  static void preload(String engine, boolean together) {
    try {
      find(engine, together);
    } catch (NoClassDefFoundError e) {
      throw new DeviceUnavailableException(
          "the device cuda needs the library org.bytedeco:cuda, which is not on the class path; add it to the program's"
              + " dependencies, once plain and once with the classifier " + Loader.getPlatform(), e);
    }
  }

  private static void find(String engine, boolean together) {
    Class<?> presets = org.bytedeco.cuda.presets.cudnn.class; // which inherit where the others' libraries are
    ClassProperties properties = Loader.loadProperties(presets, Loader.loadProperties(), true);
    List<String> wanted = new ArrayList<>(RUNTIME);
    if (!engine.equals("fused") && !engine.equals("hopper")) {
      wanted.addAll(ENGINES);
    }
    if (together) {
      wanted.add(COLLECTIVES);
    }
    for (String library : wanted) {
      URL[] places = Loader.findLibrary(presets, properties, library);
      try {
        Loader.loadLibrary(presets, places, library);
      } catch (UnsatisfiedLinkError e) {
        // The backend looks on, and reports.
      }
    }
  }

  /**
   * The GPU that is meant: {@code cuda} is another one for each of the processes that a launcher has started on a machine.
   */
  static String device(String asked) {
    return device(asked, System::getenv, CudaLibraries::count);
  }

  private static int count() {
    int[] count = new int[1];
    try {
      return check(cudart.cudaGetDeviceCount(count)) ? count[0] : 0;
    } catch (LinkageError e) {
      return 0; // the backend says what is missing
    }
  }

  /** Names of the GPUs that this process may take, the usual one first; at least one, which the backend may say more of. */
  static List<String> devices() {
    NativeLibrary.load();
    boolean oneOfSeveral = LOCAL_RANK.stream().anyMatch(name -> System.getenv(name) != null);
    Stream<String> others = IntStream.range(1, oneOfSeveral ? 1 : Math.max(1, count())).mapToObj(gpu -> "cuda:" + gpu);
    return Stream.concat(Stream.of("cuda"), others).toList();
  }

  /**
   * The rule of {@link #device(String)}.
   *
   * @param gpus how many GPUs this process sees; a launcher may show each process its own alone
   */
  static String device(String asked, UnaryOperator<String> environment, IntSupplier gpus) {
    if (!asked.equals("cuda")) {
      return asked;
    }
    return LOCAL_RANK.stream()
        .map(environment)
        .filter(Objects::nonNull)
        .filter(value -> value.matches("\\d{1,7}") && gpus.getAsInt() != 1)
        .findFirst()
        .map(rank -> asked + ":" + Integer.parseInt(rank))
        .orElse(asked);
  }

  /** Looks at the devices and libraries of this machine. */
  public static Inventory inventory() {
    NativeLibrary.load();
    int[] number = new int[1];
    List<Library> libraries = new ArrayList<>();
    try {
      boolean known = check(cudart.cudaDriverGetVersion(number)) && number[0] > 0;
      libraries.add(new Library("driver", known ? shortVersion(number[0]) : null, known ? null : "none"));
      check(cudart.cudaRuntimeGetVersion(number));
      libraries.add(new Library("runtime", shortVersion(number[0]), null));
    } catch (LinkageError e) {
      return new Inventory(List.of(), List.of(), "CUDA cannot be asked: " + reason(e));
    }
    libraries.add(library("cublas", CudaLibraries::cublasVersion));
    libraries.add(library("cudnn", CudaLibraries::cudnnVersion));
    Library forSeveral = library("nccl", CudaLibraries::ncclVersion);
    libraries.add(
        forSeveral.problem() == null
            ? forSeveral
            : new Library(
                forSeveral.name(), null,
                forSeveral.problem() + "; to train on several GPUs, install libnccl2 or pip's nvidia-nccl-cu13"));
    List<Gpu> gpus = new ArrayList<>();
    int count = check(cudart.cudaGetDeviceCount(number)) ? number[0] : 0;
    for (int i = 0; i < count; i++) {
      gpus.add(gpu(i));
    }
    return new Inventory(libraries, gpus, null);
  }

  private static Library library(String name, Supplier<String> version) {
    try {
      return new Library(name, version.get(), null);
    } catch (LinkageError e) {
      return new Library(name, null, reason(e));
    }
  }

  /** Why something does not load, in one line: mostly, which file is missing. */
  private static String reason(LinkageError error) {
    Throwable cause = error;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    String message = String.valueOf(cause.getMessage());
    Matcher missing = MISSING_FILE.matcher(message);
    if (missing.find()) {
      return missing.group(1) + " is nowhere to be found"
          + (missing.group(1).startsWith("libcuda.so") ? "; it comes with NVIDIA's driver" : "");
    }
    return message.lines().findFirst().orElse("for an unknown reason");
  }

  private static String cublasVersion() {
    StringBuilder version = new StringBuilder();
    int[] part = new int[1];
    for (int property = 0; property < 3; property++) { // major, minor, patch
      cublas.cublasGetProperty(property, part); // cannot fail for these three
      version.append(property == 0 ? "" : ".").append(part[0]);
    }
    return version.toString();
  }

  private static String cudnnVersion() {
    long version = cudnn.cudnnGetVersion(); // 92400 is 9.24.0
    return version / 10000 + "." + version / 100 % 100 + "." + version % 100;
  }

  private static String ncclVersion() {
    int[] version = new int[1];
    nccl.ncclGetVersion(version); // cannot fail
    return version[0] / 10000 + "." + version[0] / 100 % 100 + "." + version[0] % 100; // 22903 is 2.29.3
  }

  private static Gpu gpu(int index) {
    try (cudaDeviceProp properties = new cudaDeviceProp();
        SizeTPointer free = new SizeTPointer(1);
        SizeTPointer total = new SizeTPointer(1)) {
      check(cudart.cudaGetDeviceProperties(properties, index));
      boolean usable = check(cudart.cudaSetDevice(index)) && check(cudart.cudaMemGetInfo(free, total));
      return new Gpu(
          "cuda:" + index, properties.name().getString(), properties.major() + "." + properties.minor(),
          properties.totalGlobalMem(), usable ? free.get() : 0);
    }
  }

  private static boolean check(int error) {
    return error == cudart.cudaSuccess;
  }

  private static String shortVersion(int number) {
    return number / 1000 + "." + number % 1000 / 10;
  }
}
