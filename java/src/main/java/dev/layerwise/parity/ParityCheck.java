package dev.layerwise.parity;

import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileErrors;
import dev.layerwise.nativelib.DeviceOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Replays reference files of the published method and says how far this program is from them. */
public final class ParityCheck {
  private ParityCheck() {}

  /**
   * The reference files that the paths name: files as they are, folders by the {@code .safetensors}
   * files in them.
   *
   * @throws LayerwiseException if a path does not exist or a folder holds none
   */
  public static List<Path> files(List<Path> paths) {
    List<Path> files = new ArrayList<>();
    for (Path path : paths) {
      if (!Files.isDirectory(path)) {
        if (!Files.exists(path)) {
          throw new LayerwiseException("there is no file or folder " + path);
        }
        files.add(path);
        continue;
      }
      try (Stream<Path> entries = Files.list(path)) {
        List<Path> found = entries.filter(file -> file.toString().endsWith(".safetensors")).sorted().toList();
        if (found.isEmpty()) {
          throw new LayerwiseException("the folder " + path + " has no .safetensors files");
        }
        files.addAll(found);
      } catch (IOException e) {
        throw new LayerwiseException("cannot list the folder " + path + " (" + FileErrors.reason(e) + ")", e);
      }
    }
    return files;
  }

  /**
   * Replays one file on a device.
   *
   */
  public static ParityResult replay(Path file, DeviceOptions device) {
    return Fixture.replay(file, device);
  }
}
