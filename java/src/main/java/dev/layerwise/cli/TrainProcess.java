package dev.layerwise.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.LayerwiseException;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine;

/**
 * The command {@code train} in a process of its own, of the same program: the same Java, the same options of Java, the same
 * class path, whether a launcher, a package or {@code java -jar} has started this one.
 */
final class TrainProcess {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String PREFIX = "layerwise: ";

  private final Process process;
  private final Thread errors;
  private String reason = ""; // the last line that is a sentence of the program

  private TrainProcess(Process process, Consumer<String> remarks) {
    this.process = process;
    errors = new Thread(() -> readErrors(remarks), "messages of process " + process.pid());
    errors.setDaemon(true);
    errors.start();
  }

  /**
   * Starts it. It prints JSON, reads no input, and leaves Ctrl-C to this process, which passes it on by {@link #stop}.
   *
   * @param arguments of {@code train}
   * @param remarks gets the lines that it prints to stderr
   */
  static TrainProcess start(List<String> arguments, Consumer<String> remarks) {
    List<String> command = program();
    command.add("train");
    command.addAll(arguments);
    command.add("--json");
    try {
      return new TrainProcess(
          new ProcessBuilder(command).redirectInput(new File("/dev/null")).start(), remarks);
    } catch (IOException e) {
      throw new LayerwiseException("cannot start a process for the run: " + e.getMessage(), e);
    }
  }

  private static List<String> program() {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.add("-D" + StopOnSignal.LED + "=true");
    command.add("-cp");
    // A launcher names a folder with a colon by a file that it holds open, which only this process has.
    command.add(
        System.getProperty("java.class.path").replace("/proc/self/fd/", "/proc/" + ProcessHandle.current().pid() + "/fd/"));
    command.add(Main.class.getName());
    return command;
  }

  private void readErrors(Consumer<String> remarks) {
    try (BufferedReader lines = reader(process.getErrorStream())) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        reason = line.startsWith(PREFIX) ? line.substring(PREFIX.length()) : reason;
        remarks.accept(line);
      }
    } catch (IOException e) {
      return; // the process has gone, and its exit code says how
    }
  }

  private static BufferedReader reader(InputStream stream) {
    return new BufferedReader(new InputStreamReader(stream, Charset.forName(System.getProperty("native.encoding", "UTF-8"))));
  }

  /** Asks it to save and end; asked again, it ends at once. */
  void stop() {
    process.toHandle().destroy(); // SIGTERM; that of Process would close its output, too, and a closed pipe ends it at once
  }

  /**
   * Waits for its end.
   *
   * @param events gets the objects that it prints
   * @return its exit code
   */
  int finish(Consumer<JsonNode> events) {
    try (BufferedReader lines = reader(process.getInputStream())) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        events.accept(JSON.readTree(line));
      }
      int code = process.waitFor();
      errors.join();
      return code;
    } catch (JsonProcessingException e) {
      process.destroy();
      throw new LayerwiseException("the process of a run printed what is not JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      process.destroy();
      throw new LayerwiseException("interrupted while a run was trained", e);
    }
  }

  /** Returns when it has ended, or this thread is interrupted. */
  void await() {
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Why it failed, in its own words; call it after its end. */
  String reason(int exitCode) {
    boolean told = exitCode == CommandLine.ExitCode.SOFTWARE || exitCode == CommandLine.ExitCode.USAGE;
    return told && !reason.isEmpty() ? reason : "its process ended with exit code " + exitCode;
  }
}
