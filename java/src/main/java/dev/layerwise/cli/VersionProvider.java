package dev.layerwise.cli;

import dev.layerwise.nativelib.NativeLibrary;
import picocli.CommandLine.IVersionProvider;

/** What {@code --version} prints: the native library's version is the program's. */
final class VersionProvider implements IVersionProvider {
  @Override
  public String[] getVersion() {
    return new String[] {"layerwise " + NativeLibrary.version()};
  }
}
