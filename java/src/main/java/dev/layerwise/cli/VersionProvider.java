package dev.layerwise.cli;

import dev.layerwise.nativelib.NativeLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine.IVersionProvider;

/** The output of {@code --version}: the version, which is the native library's, the commit, and the devices. */
final class VersionProvider implements IVersionProvider {
  private static final String BUILT_FROM = "/dev/layerwise/built-from.txt"; // written by the build

  @Override
  public String[] getVersion() {
    return new String[] {
      "layerwise " + version(),
      "devices: " + String.join(", ", NativeLibrary.devices())
    };
  }

  /** "0.1.0, built from commit 39aa07e". */
  static String version() {
    return NativeLibrary.version() + ", built from " + builtFrom();
  }

  private static String builtFrom() {
    try (InputStream in = VersionProvider.class.getResourceAsStream(BUILT_FROM)) {
      return in == null ? "an unknown commit" : new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // the program's own file
    }
  }
}
