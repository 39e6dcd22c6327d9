package dev.layerwise;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** Large files that are not part of the project: real data sets and reference values. */
public final class SharedFolder {
  private SharedFolder() {}

  /** The path below the folder named by the system property layerwise.shared; skips the test if it is not there. */
  public static Path require(String path) {
    String shared = System.getProperty("layerwise.shared", "");
    assumeTrue(!shared.isEmpty(), "needs the system property layerwise.shared, the folder that holds " + path);
    Path folder = Path.of(shared).resolve(path);
    assumeTrue(Files.exists(folder), "needs " + folder);
    return folder;
  }
}
