package dev.layerwise.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The command line in a process of its own. */
final class JavaProcess {
  private JavaProcess() {}

  /**
   * The words that start it. SIGINT is set to its default there: a shell's background jobs, which a test may be one of,
   * ignore it. Compiling little, it is up soon.
   */
  static List<String> command(Object... arguments) {
    return command(List.of(), arguments);
  }

  /** The same with more options for Java. */
  static List<String> command(List<String> javaOptions, Object... arguments) {
    List<String> command = new ArrayList<>(List.of(
        "env", "--default-signal=INT", Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable", "-Xlog:all=warning:stderr",
        "-Dorg.bytedeco.javacpp.cachedir="
            + System.getProperty("org.bytedeco.javacpp.cachedir")));
    command.addAll(javaOptions);
    command.addAll(List.of(
        "-cp", System.getProperty("java.class.path"), "dev.layerwise.cli.Main"));
    Stream.of(arguments).map(Object::toString).forEach(command::add);
    return command;
  }
}
