package dev.layerwise.nativelib;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.net.URL;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.cuda.global.cudnn;
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

  /** What of CUDA this machine has. */
  public record Inventory(List<Library> libraries, List<Gpu> gpus) {}

  /**
   * Loads what the CUDA backend needs, so that it finds it under its name. What is not there is left to the backend,
   * which looks for it in more places and says what is missing.
   *
   * @param engine {@code fused} needs neither cuBLAS nor cuDNN
   */
  static void preload(String engine) {
    ClassProperties properties =
        Loader.loadProperties(org.bytedeco.cuda.presets.cudnn.class, Loader.loadProperties(), true);
    List<String> wanted = new ArrayList<>(RUNTIME);
    if (!engine.equals("fused")) {
      wanted.addAll(ENGINES);
    }
    for (String library : wanted) {
      URL[] places = Loader.findLibrary(org.bytedeco.cuda.presets.cudnn.class, properties, library);
      try {
        Loader.loadLibrary(places, library);
      } catch (UnsatisfiedLinkError e) {
        // The backend looks on, and reports.
      }
    }
  }

  /** Looks at the devices and libraries of this machine. */
  public static Inventory inventory() {
    NativeLibrary.load();
    List<Gpu> gpus = new ArrayList<>();
    int[] number = new int[1];
    Library driver =
        library(
            "driver",
            () -> check(cudart.cudaDriverGetVersion(number)) && number[0] > 0 ? shortVersion(number[0]) : null);
    Library runtime =
        library("runtime", () -> check(cudart.cudaRuntimeGetVersion(number)) ? shortVersion(number[0]) : null);
    Library cublasLibrary = library("cublas", CudaLibraries::cublasVersion);
    Library cudnnLibrary =
        library(
            "cudnn",
            () -> {
              long version = cudnn.cudnnGetVersion(); // 92400 is 9.24.0
              return version / 10000 + "." + version / 100 % 100 + "." + version % 100;
            });
    if (driver.version() != null && check(cudart.cudaGetDeviceCount(number))) {
      int count = number[0];
      for (int i = 0; i < count; i++) {
        gpus.add(gpu(i));
      }
    }
    return new Inventory(List.of(driver, runtime, cublasLibrary, cudnnLibrary), gpus);
  }

  private static Library library(String name, Supplier<String> version) {
    try {
      String found = version.get();
      return new Library(name, found, found == null ? "there is none on this machine" : null);
    } catch (LinkageError e) {
      Throwable cause = e;
      while (cause.getCause() != null) {
        cause = cause.getCause();
      }
      return new Library(name, null, "it does not load: " + cause.getMessage().lines().findFirst().orElse(""));
    }
  }

  private static String cublasVersion() {
    StringBuilder version = new StringBuilder();
    int[] part = new int[1];
    for (int property = 0; property < 3; property++) { // major, minor, patch
      if (cublas.cublasGetProperty(property, part) != cublas.CUBLAS_STATUS_SUCCESS) {
        return null;
      }
      version.append(property == 0 ? "" : ".").append(part[0]);
    }
    return version.toString();
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
