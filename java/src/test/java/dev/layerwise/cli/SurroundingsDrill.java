package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The program in surroundings that it would not choose. What it computes is the same to the bit, or it says in one
 * sentence why it cannot.
 */
class SurroundingsDrill {
  private static final ObjectMapper JSON = new ObjectMapper();
  /** Runs that take different ways through the operations: Winograd's method, direct convolutions, plain products. */
  private static final List<String> NETWORKS =
      List.of(
          "--num-layers 2 --num-hidden 64",
          "--model vgg6a --feat-mult 0.125 --num-hidden 32 --dim-in-decoder 128 --engine winograd",
          "--model vgg6a --feat-mult 0.125 --num-hidden 32 --precision f32 --loss sim");

  @TempDir private static Path usual;

  @TempDir private Path folder;

  /** What runs outside the surroundings leave: a folder of runs, and what the second of them evaluates and embeds to. */
  private record Usual(Path runs, JsonNode evaluation, byte[] features) {}

  private static final Map<Integer, Usual> USUALS = new HashMap<>();

  /** How a program ended, and what it printed. */
  private record Ended(int exitCode, String out, String err) {}

  /** Runs a line of shell in an environment; {@code program} in it is Layerwise. */
  private static Ended shell(Map<String, String> environment, String line, Object... program) throws Exception {
    List<String> words = new ArrayList<>(List.of("bash", "-c", line.replace("program", "\"$@\""), "bash"));
    words.addAll(JavaProcess.command(program));
    return run(environment, words);
  }

  private static Ended run(Map<String, String> environment, List<String> words) throws Exception {
    Path err = Files.createTempFile("layerwise", ".err");
    try {
      ProcessBuilder builder = new ProcessBuilder(words).redirectError(err.toFile());
      environment.forEach((name, value) -> {
        if (value == null) {
          builder.environment().remove(name);
        } else {
          builder.environment().put(name, value);
        }
      });
      Process process = builder.start();
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Ended(process.waitFor(), out, Files.readString(err));
    } finally {
      Files.delete(err);
    }
  }

  private static Object[] words(String options, Object... more) {
    return Stream.concat(Stream.of(options.split(" ")), Stream.of(more)).toArray();
  }

  /** What runs outside the surroundings leave, for a number of threads; made once. */
  private static Usual usual(int threads) throws Exception {
    Usual known = USUALS.get(threads);
    if (known == null) {
      Path made = usual.resolve(Integer.toString(threads));
      for (int i = 0; i < NETWORKS.size(); i++) {
        Ended ended =
            shell(
                Map.of(), "program",
                words("train --epochs 1 --threads " + threads + " " + NETWORKS.get(i), "--out", made.resolve("run-" + i)));
        assertThat(ended.exitCode()).as(ended.err()).isZero();
      }
      Path run = made.resolve("run-1");
      Path features = made.resolve("features.npy");
      known =
          new Usual(
              made, evaluation(Map.of(), "program", run, "--threads", threads),
              features(features, Map.of(), "program", run, "--threads", threads));
      USUALS.put(threads, known);
    }
    return known;
  }

  /**
   * Trains, evaluates, embeds and times steps in these surroundings, and compares with runs outside them that have the
   * same number of threads.
   */
  private void assertSameBits(Map<String, String> environment, String line) throws Exception {
    Usual usual = null;
    int threads = 0;
    for (int i = 0; i < NETWORKS.size(); i++) {
      Path run = folder.resolve("run-" + i);
      Ended trained = shell(environment, line, words("train --epochs 1 " + NETWORKS.get(i), "--out", run));
      assertThat(trained.exitCode()).as(trained.err()).isZero();
      threads = JSON.readTree(run.resolve("config.json").toFile()).at("/device/threads").asInt();
      assertThat(trained.err()).contains("threads: " + threads);
      usual = usual(threads);
      assertThat(run.resolve("model.safetensors"))
          .hasSameBinaryContentAs(usual.runs().resolve("run-" + i).resolve("model.safetensors"));
    }
    Path run = folder.resolve("run-1");
    assertThat(evaluation(environment, line, run)).isEqualTo(usual.evaluation());
    assertThat(features(folder.resolve("features.npy"), environment, line, run)).isEqualTo(usual.features());
    Ended bench =
        shell(environment, line, words("bench step --model mlp --num-layers 1 --num-hidden 32 --input 1x8x8 --steps 2 --json"));
    assertThat(bench.exitCode()).as(bench.err()).isZero();
    String result = bench.out().lines().reduce((earlier, later) -> later).orElseThrow();
    assertThat(JSON.readTree(result).get("threads").asInt()).isEqualTo(threads);
  }

  private static JsonNode evaluation(Map<String, String> environment, String line, Path run, Object... options)
      throws Exception {
    Ended ended = shell(environment, line, Stream.concat(Stream.of("evaluate", run, "--json"), Stream.of(options)).toArray());
    assertThat(ended.exitCode()).as(ended.err()).isZero();
    ObjectNode result = (ObjectNode) JSON.readTree(ended.out());
    assertThat(result.get("test_loss").isNumber()).isTrue();
    result.remove("seconds");
    return result;
  }

  private static byte[] features(
      Path out, Map<String, String> environment, String line, Path run, Object... options) throws Exception {
    Ended ended =
        shell(
            environment, line,
            Stream.concat(Stream.of("embed", run, "--dataset", "digits", "--out", out), Stream.of(options)).toArray());
    assertThat(ended.exitCode()).as(ended.err()).isZero();
    return Files.readAllBytes(out);
  }

  @ParameterizedTest
  @ValueSource(strings = {"OMP_THREAD_LIMIT=1", "OMP_DYNAMIC=true", "OMP_MAX_ACTIVE_LEVELS=0", "OMP_NUM_THREADS=1",
    "OMP_NUM_THREADS=3,1", "OMP_PROC_BIND=true", "OMP_PLACES={0}", "OMP_WAIT_POLICY=active", "OMP_SCHEDULE=dynamic,1",
    "OMP_STACKSIZE=64K", "ONEDNN_DEFAULT_FPMATH_MODE=ANY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY=0", "MALLOC_PERTURB_=85"})
  void variablesChangeNoBit(String variable) throws Exception {
    int equals = variable.indexOf('=');
    assertSameBits(Map.of(variable.substring(0, equals), variable.substring(equals + 1)), "program");
  }

  @ParameterizedTest
  @ValueSource(strings = {"taskset -c 0 program", "ulimit -s 64; program", "ulimit -n 64; program"})
  void limitsChangeNoBit(String line) throws Exception {
    assertSameBits(Map.of(), line);
  }

  @Test
  void threadsThatOpenMpDoesNotProvideAreRefused() throws Exception {
    Map<String, String> limit = Map.of("OMP_THREAD_LIMIT", "1");
    Path run = folder.resolve("run");
    Ended refused = shell(limit, "program", words("train --epochs 1 --threads 2", "--out", run));
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.err()).contains("2 threads are wanted, but OpenMP provides 1", "OMP_THREAD_LIMIT").hasLineCount(2);

    assertThat(shell(Map.of(), "program", words("train --epochs 1 --threads 2", "--out", run)).exitCode()).isZero();
    Ended resumed = shell(limit, "program", words("train --epochs 2", "--resume", run));
    assertThat(resumed.exitCode()).as("other threads would give other bits").isEqualTo(1);
    assertThat(resumed.err()).contains("2 threads are wanted, but OpenMP provides 1").hasLineCount(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"de-DE", "ar-EG", "tr-TR", "fa-IR-u-nu-arabext"})
  void numbersLookTheSameInEveryLanguage(String language) throws Exception {
    Path run = folder.resolve("run");
    List<String> options = List.of("-Duser.language=" + language.substring(0, 2), "-Duser.country=" + language.substring(3, 5));
    for (Object[] command : new Object[][] {
      words("train --epochs 1 --num-layers 1 --num-hidden 16 --threads 1", "--out", run), {"evaluate", run},
      {"report", run, "--out", folder.resolve("report.html")}}) {
      List<String> words = new ArrayList<>(JavaProcess.command(command));
      words.addAll(words.indexOf("-cp"), options);
      Ended ended = run(Map.of(), words);
      assertThat(ended.exitCode()).as(ended.err()).isZero();
      assertThat(ended.out() + ended.err()).matches("(?s)[\\x00-\\x7f×–…]*").doesNotContainPattern("\\d,\\d\\d ");
    }
    assertThat(folder.resolve("report.html")).content().doesNotContainPattern("\\d,\\d\\d %");
  }

  @ParameterizedTest
  @ValueSource(strings = {"program > /dev/full", "program >&-"})
  void resultsThatCannotBeWrittenAreSaid(String line) throws Exception {
    Path run = folder.resolve("run");
    assertThat(shell(Map.of(), "program", words("train --epochs 1 --num-layers 1", "--out", run)).exitCode()).isZero();
    for (Object[] command : new Object[][] {
      {"evaluate", run}, {"presets"}, {"inspect", run}, words("train --epochs 1 --num-layers 1", "--out", folder.resolve("b"))}) {
      Ended ended = shell(Map.of(), line, command);
      assertThat(ended.exitCode()).as(ended.err()).isEqualTo(1);
      assertThat(ended.err()).containsOnlyOnce("layerwise: cannot write the results to stdout: ").doesNotContain("\tat ");
    }
  }

  // ---- the launcher ----------------------------------------------------------------------------------------

  /** The sources' folder with what the launcher has built of them. */
  private Path installation() throws Exception {
    Path sources = Path.of("..").toRealPath();
    Ended built = run(Map.of(), List.of(sources.resolve("layerwise").toString(), "--version"));
    assertThat(built.exitCode()).as(built.err()).isZero();
    Path copy = Files.createDirectories(folder.resolve("with a space/and: colon/layerwise"));
    for (String part : new String[] {"layerwise", "CMakeLists.txt", "pom.xml", "java/pom.xml", "java/src/main", "native",
      "build/app"}) {
      Path to = Files.createDirectories(copy.resolve(part).getParent());
      assertThat(run(Map.of(), List.of("cp", "-a", sources.resolve(part).toString(), to.toString())).exitCode()).isZero();
    }
    assertThat(run(Map.of(), List.of("chmod", "-R", "a+rX", folder.toString())).exitCode()).isZero();
    return copy.resolve("layerwise");
  }

  @Test
  void theLauncherNeedsNoHomeAndNoPlainPath() throws Exception {
    Path launcher = installation();
    Map<String, String> none = new HashMap<>();
    none.put("HOME", null);
    none.put("XDG_CACHE_HOME", null);
    for (Map<String, String> environment : List.of(none, Map.of("HOME", "/nonexistent"), Map.of("CDPATH", ".:/"))) {
      Ended ended = run(environment, List.of(launcher.toString(), "--version"));
      assertThat(ended.exitCode()).as(ended.err()).isZero();
      assertThat(ended.err()).isEmpty();
    }
  }

  @Test
  void aUserWithoutANameCanRunWhatOthersHaveInstalled() throws Exception {
    assumeTrue(Files.getOwner(Path.of("/proc/self")).getName().equals("root"), "needs the right to change users (root)");
    Path launcher = installation();
    Path workplace = Files.createDirectory(folder.resolve("workplace"));
    for (String command : new String[] {"chown 4711 " + workplace, "chmod a+rx " + folder + " " + folder.getParent()}) {
      assertThat(run(Map.of(), List.of(command.split(" "))).exitCode()).isZero();
    }
    Map<String, String> environment = new HashMap<>();
    environment.put("HOME", null);
    environment.put("XDG_CACHE_HOME", null);
    environment.put("TMPDIR", workplace.toString());
    Ended ended =
        run(
            environment,
            List.of(
                "setpriv", "--reuid=4711", "--clear-groups", "bash", "-c",
                "cd \"$1\" && \"$2\" train --epochs 1 --num-layers 1 --threads 1 && \"$2\" data list", "bash",
                workplace.toString(), launcher.toString()));
    assertThat(ended.exitCode()).as(ended.err()).isZero();
    try (Stream<Path> made = Files.list(workplace)) {
      assertThat(made.map(path -> path.getFileName().toString()))
          .as("no folder named '?'").containsExactlyInAnyOrder("runs", "layerwise-4711");
    }
  }
}
