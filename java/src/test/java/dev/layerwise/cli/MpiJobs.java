package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.layerwise.LayerwiseException;
import dev.layerwise.nativelib.NativeCommunicator;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Starts the command line under a real mpirun. Tests are skipped where there is none, or the build has no MPI. */
abstract class MpiJobs {
  static final int DEADLINE_SECONDS = 10;

  // Batches of 100 leave 37 images for the last; dropout and crops go by an image's number in the whole batch.
  static final List<String> SMALL =
      List.of(("--num-layers 1 --num-hidden 32 --batch-size 100 --dropout 0.2 --cutout --length 2 --optim sgd --lr 0.1"
          + " --momentum 0.5 --epochs 2").split(" "));

  @TempDir Path folder;

  /** What a job did. */
  record Job(int exitCode, String out, String err) {}

  @BeforeEach
  void requireMpi() throws Exception {
    String problem = null;
    try {
      NativeCommunicator.mpi();
      new ProcessBuilder("mpirun", "--version").redirectErrorStream(true).start().waitFor();
    } catch (LayerwiseException | IOException e) {
      problem = e.getMessage();
    }
    assumeThat(problem).as("MPI is needed: %s", problem).isNull();
  }

  static List<String> words(List<?>... parts) {
    return Stream.of(parts).flatMap(List::stream).map(Object::toString).toList();
  }

  /** mpirun with the ranks' arguments: of two processes if there are one's only, otherwise one process each. */
  @SafeVarargs
  final Process start(Path log, List<String>... arguments) throws IOException {
    List<List<String>> commands =
        Stream.of(arguments).map(words -> JavaProcess.command(words.toArray())).toList();
    return launch(log, arguments.length == 1 ? 2 : 1, commands);
  }

  /** mpirun with commands of so many processes each. */
  static Process launch(Path log, int processes, List<List<String>> commands) throws IOException {
    List<String> command = new ArrayList<>(List.of("mpirun", "--oversubscribe", "--bind-to", "none"));
    for (List<String> words : commands) {
      command.addAll(List.of("-n", Integer.toString(processes)));
      command.addAll(words);
      command.add(":");
    }
    command.remove(command.size() - 1);
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().putAll(Map.of("OMPI_ALLOW_RUN_AS_ROOT", "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"));
    builder.environment().put("OMPI_MCA_mpi_yield_when_idle", "1"); // other tests run on the same cores
    return builder.redirectOutput(Path.of(log + ".out").toFile()).redirectError(Path.of(log + ".err").toFile()).start();
  }

  final Job runCommands(int processes, List<List<String>> commands) throws Exception {
    Path log = Files.createTempFile(folder, "job", "");
    return end(launch(log, processes, commands), log, 60);
  }

  /** What this program has printed on stderr, and not mpirun. */
  static List<String> said(Job job) {
    return job.err().lines().filter(line -> line.startsWith("layerwise: ")).toList();
  }

  final Job end(Process process, Path log, int seconds) throws Exception {
    List<ProcessHandle> ranks = process.descendants().toList();
    try {
      assertThat(process.waitFor(seconds, TimeUnit.SECONDS)).as("the job ends").isTrue();
      for (ProcessHandle rank : ranks) { // mpirun may end a moment before the last of them
        rank.onExit().get(seconds, TimeUnit.SECONDS);
      }
    } finally {
      process.destroy();
    }
    return new Job(
        process.exitValue(), Files.readString(Path.of(log + ".out")), Files.readString(Path.of(log + ".err")));
  }

  @SafeVarargs
  final Job run(List<String>... arguments) throws Exception {
    Path log = Files.createTempFile(folder, "job", "");
    return end(start(log, arguments), log, 60);
  }

  static String withoutTimes(String out) {
    return out.replaceAll("\\d+ images/s|in [\\d.]+ s", "");
  }

  static int epochsOf(Path run) throws IOException {
    Path metrics = run.resolve("metrics.jsonl");
    return Files.exists(metrics) ? Files.readAllLines(metrics).size() : 0;
  }

  /** The process that mpirun has started as this rank. */
  static ProcessHandle processOfRank(int rank, Process job) {
    return job.descendants()
        .filter(process -> environment(process).contains("\0OMPI_COMM_WORLD_RANK=" + rank + "\0"))
        .findFirst().orElseThrow();
  }

  private static String environment(ProcessHandle process) {
    try {
      return "\0" + Files.readString(Path.of("/proc", Long.toString(process.pid()), "environ"), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return ""; // it has ended
    }
  }
}
