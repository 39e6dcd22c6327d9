package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.nativelib.CudaLibraries;
import dev.layerwise.nativelib.NativeLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * When, where and how a run was started or resumed, as {@code sessions.json} holds it. It is no part of the configuration:
 * another machine may give the same bits.
 *
 * @param started in ISO 8601, UTC, such as {@code 2026-05-04T09:30:00Z}
 * @param machine its processor, the number of logical processors and its GPU, if one is used; without the machine's name,
 *     so that a report can be shown to others
 * @param command as the user typed it; {@code null}: a program that uses the library
 * @param version of this program
 */
@JsonIgnoreProperties(ignoreUnknown = true)
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Session(
    @JsonProperty("started") String started, @JsonProperty("machine") String machine, @JsonProperty("command") String command,
    @JsonProperty("version") String version) {
  /** Name of the file in a run's folder: a list of them, the first one first. */
  public static final String FILE_NAME = "sessions.json";

  private static final Path PROCESSORS = Path.of("/proc/cpuinfo");

  /**
   * One that begins now, on this machine.
   *
   * @param device on which it computes, such as {@code cuda:0}
   */
  static Session begin(String command, String device) {
    return new Session(
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(), machine(device), command, NativeLibrary.version());
  }

  private static String machine(String device) {
    String processors = processor() + ", " + Runtime.getRuntime().availableProcessors() + " threads";
    if (!device.startsWith("cuda")) {
      return processors;
    }
    String gpus =
        CudaLibraries.inventory().gpus().stream()
            .filter(gpu -> gpu.device().equals(device.contains(":") ? device : device + ":0"))
            .map(CudaLibraries.Gpu::name)
            .collect(Collectors.joining(", "));
    return gpus.isEmpty() ? processors : gpus + "; " + processors;
  }

  /** The processor's name where the system tells it, otherwise its architecture. */
  private static String processor() {
    try (Stream<String> lines = Files.lines(PROCESSORS)) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException e) {
      return System.getProperty("os.arch");
    }
  }

  /** Those of a list that say when they began. */
  static List<Session> whole(List<Session> sessions) {
    return sessions.stream().filter(session -> session != null && session.started() != null).toList();
  }
}
