package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.LayerwiseApi;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.Loader;

/**
 * Libraries that the core opens itself when their device is asked for, from the folder in which it lies. A folder of
 * classes holds them all side by side; out of a jar, only what is loaded is unpacked, so these are put there.
 */
final class DeviceLibraries {
  private static final String CORE = "liblayerwise.so";

  /** What several processes need. */
  static final String MPI = "liblayerwise_mpi.so";

  /** What decodes JPEG files. */
  static final String JPEG = "liblayerwise_jpeg.so";

  private static final Map<String, String> FILES =
      new TreeMap<>(Map.of("cuda", "liblayerwise_cuda.so", "cuda-on-host", "liblayerwise_cuda_on_host.so"));

  private DeviceLibraries() {}

  /** Kinds of device and their files. */
  static Map<String, String> all() {
    return FILES;
  }

  static boolean isBundled(String file) {
    return resource(file) != null;
  }

  /**
   * Puts the library of a device, where this program holds one, beside the core.
   *
   * @param device as the user named it: {@code cuda:1}
   * @throws DeviceUnavailableException if it cannot be written
   */
  static void provide(String device) {
    String file = FILES.get(device.replaceFirst(":.*", ""));
    if (file != null) {
      provide(file, "of device '" + device + "'");
    }
  }

  /** The same of a file, which messages call the library of something. */
  static void provide(String file, String of) {
    URL library = resource(file);
    if (library == null || library.getProtocol().equals("file")) {
      return; // the core says what is missing, or finds it where it is
    }
    try {
      File core = Loader.cacheResource(resource(CORE));
      if (core == null) {
        throw new IOException("the core has not been unpacked");
      }
      Path target = core.toPath().resolveSibling(file);
      if (!Files.exists(target) || Files.size(target) != library.openConnection().getContentLengthLong()) {
        Path part = Files.createTempFile(target.getParent(), file, ".part");
        try (InputStream in = library.openStream()) {
          Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
          Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
          Files.deleteIfExists(part);
        }
      }
    } catch (IOException e) {
      throw new DeviceUnavailableException("the library " + of + " cannot be unpacked: " + e.getMessage(), e);
    }
  }

  private static URL resource(String file) {
    return LayerwiseApi.class.getResource("/dev/layerwise/nativelib/" + Loader.getPlatform() + "/" + file);
  }
}
