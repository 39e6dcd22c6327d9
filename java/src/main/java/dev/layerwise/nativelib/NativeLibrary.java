package dev.layerwise.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileErrors;
import dev.layerwise.files.UserFolders;
import dev.layerwise.nativelib.generated.LayerwiseApi;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;

/** The native library itself: loading it, what it says about itself, and its failures. */
public final class NativeLibrary {
  /** JavaCPP's limits on what it allocates and on this process's memory, by default the Java heap and twice that; 0: none. */
  private static final List<String> MEMORY_LIMITS =
      List.of("org.bytedeco.javacpp.maxbytes", "org.bytedeco.javacpp.maxphysicalbytes");

  /** Where JavaCPP unpacks libraries, by default in the home folder. */
  private static final String UNPACKED = "org.bytedeco.javacpp.cachedir";

  private static boolean loaded;

  private NativeLibrary() {}

  /**
   * The library's version, such as "0.1.0".
   *
   * @throws DeviceUnavailableException if the library does not load
   */
  public static String version() {
    load();
    return text(LayerwiseApi.layerwise_version());
  }

  /**
   * Vector extensions of this processor that the library can use, such as "avx2 avx512f avx512_bf16".
   *
   * @throws DeviceUnavailableException if the library does not load
   */
  public static String cpuFeatures() {
    load();
    return text(LayerwiseApi.layerwise_cpu_features());
  }

  /**
   * The kinds of device that this build has a backend for, but for CUDA's kernels emulated on the host, which are for tests;
   * whether one works here is another question.
   */
  public static List<String> devices() {
    List<String> devices = new ArrayList<>(List.of("cpu", "reference"));
    if (DeviceLibraries.isBundled(DeviceLibraries.all().get("cuda"))) {
      devices.add("cuda");
    }
    return devices;
  }

  /** Loads the library unless that has been done; every way into this package leads through here. */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    for (String limit : MEMORY_LIMITS) {
      if (System.getProperty(limit) == null) {
        System.setProperty(limit, "0"); // the Java heap says nothing about how much a network may take
      }
    }
    try {
      UserFolders folders = UserFolders.current();
      if (System.getProperty(UNPACKED) == null && folders.home().isEmpty()) {
        System.setProperty(UNPACKED, folders.cacheForCode("natives").toString());
      }
      Loader.load(LayerwiseApi.class);
    } catch (IOException e) {
      throw new DeviceUnavailableException(
          "the native library has no folder to be unpacked into: " + FileErrors.reason(e) + "; set TMPDIR to one", e);
    } catch (LinkageError e) {
      throw new DeviceUnavailableException(loadFailure(e), e);
    }
    loaded = true;
  }

  private static String loadFailure(LinkageError error) {
    Throwable cause = error;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    String machine = Loader.getPlatform();
    String advice =
        machine.equals("linux-x86_64")
            ? "build Layerwise on this machine, so that the library and the system fit together"
            : "Layerwise runs on linux-x86_64, this machine is " + machine;
    return String.format(Locale.ROOT, "the native library does not load (%s); %s", cause.getMessage(), advice);
  }

  /** Throws what a status other than OK stands for. */
  static void check(int status) {
    if (status != LayerwiseApi.LAYERWISE_OK) {
      throw failure(status, text(LayerwiseApi.layerwise_error_message()));
    }
  }

  private static LayerwiseException failure(int status, String message) {
    return switch (status) {
      case LayerwiseApi.LAYERWISE_INVALID_ARGUMENT -> new InvalidArgumentException(message);
      case LayerwiseApi.LAYERWISE_INVALID_STATE -> new InvalidStateException(message);
      case LayerwiseApi.LAYERWISE_OUT_OF_MEMORY -> new DeviceOutOfMemoryException(message);
      case LayerwiseApi.LAYERWISE_DEVICE_UNAVAILABLE -> new DeviceUnavailableException(message);
      case LayerwiseApi.LAYERWISE_INTERNAL_ERROR -> new NativeInternalException(message);
      default -> new NativeInternalException("unknown status " + status + ": " + message);
    };
  }

  @FunctionalInterface
  interface TextCall {
    int fill(byte[] text, long[] length);
  }

  /** A text that the library copies, once its length is known. */
  static String text(TextCall call) {
    long[] length = new long[1];
    check(call.fill(new byte[0], length));
    byte[] text = new byte[(int) length[0] + 1]; // with the closing NUL
    check(call.fill(text, length));
    return new String(text, 0, (int) length[0], UTF_8);
  }

  /** The UTF-8 text at a C string, which stays the library's. */
  static String text(BytePointer pointer) {
    return pointer.getString(UTF_8);
  }
}
