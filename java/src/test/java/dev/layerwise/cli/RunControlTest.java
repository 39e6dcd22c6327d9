package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.layerwise.LayerwiseException;
import dev.layerwise.TestImageFolder;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSets;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.SafeTensors;
import dev.layerwise.train.EpochProgress;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.SingleProcess;
import dev.layerwise.train.TrainingListener;
import dev.layerwise.train.TrainingRun;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** When runs stop and save, and that neither that nor looking at them changes what they compute. */
class RunControlTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String SMALL = "--num-layers 1 --num-hidden 16 --threads 1 ";
  // A rate that is 0 in float32: the output layer keeps its zeros, and so the network its error.
  private static final String WITHOUT_LEARNING = SMALL + "--optim sgd --lr 1e-300 ";

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"config.json", "metrics.jsonl", "evaluation.json"})
  void filesOfOthersAreNotReplaced(String name) throws IOException {
    Path file = Files.createDirectories(folder.resolve("a")).resolve(name);
    Files.writeString(file, "precious");
    CommandLineRunner run = train("a", SMALL + "--epochs 1");
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains("holds a " + name + " that no run has left").doesNotContain("\tat ");
    assertThat(file).hasContent("precious");
  }

  @Test
  void aFolderThatWasReplacedIsNotWrittenTo() throws IOException {
    assertThat(train("other", SMALL + "--epochs 1").exitCode()).isZero();
    RunConfig config = RecordedRun.read(folder.resolve("other")).config();
    try (NativeContext context = NativeContext.create(config.device(), config.training().seed());
        RunDirectory directory = RunDirectory.open(folder.resolve("a"))) {
      Files.move(folder.resolve("a"), folder.resolve("b"));
      RunDirectory.open(folder.resolve("a")).close();
      DataSet<?> digits = DataSets.load("digits", null);
      assertThatThrownBy(() -> TrainingRun.start(context, config, digits, directory, new SingleProcess()))
          .isInstanceOf(LayerwiseException.class)
          .hasMessageContaining("was replaced by another since the run began");
    }
    assertThat(folder.resolve("a/config.json")).doesNotExist();
  }

  @Test
  void historyMovesWithTheRun() throws IOException {
    assertThat(train("a", SMALL + "--epochs 2").exitCode()).isZero();
    CommandLineRunner moved =
        CommandLineRunner.run("train", "--resume", folder.resolve("a"), "--epochs", 3, "--out", folder.resolve("b"));
    assertThat(moved.exitCode()).as(moved.err()).isZero();
    assertThat(Files.readAllLines(folder.resolve("b/metrics.jsonl"))).hasSize(3);
  }

  @Test
  void aModelTrainedInFloat32IsUsedInFloat32() {
    assertThat(train("a", SMALL + "--epochs 1 --precision f32 --json").exitCode()).isZero();
    CommandLineRunner free = CommandLineRunner.run("evaluate", folder.resolve("a"), "--json", "--threads", 1);
    CommandLineRunner asked =
        CommandLineRunner.run("evaluate", folder.resolve("a"), "--json", "--threads", 1, "--precision", "f32");
    assertThat(free.lastEvent().get("test_loss")).as(free.out()).isNotNull().isEqualTo(asked.lastEvent().get("test_loss"));
  }

  @Test
  void aScheduleOverTheWholeRunGoesOnWithTheSameBits() throws IOException {
    String options = SMALL + "--epochs 120 --schedule one-cycle --lr 2e-3 ";
    assertThat(train("whole", options).exitCode()).isZero();
    assertThat(train("stopped", options + "--checkpoint-every 7steps --time-limit 1s").exitCode()).isZero();
    assertThat(train("stopped", "--resume").exitCode()).isZero();
    for (String run : List.of("whole", "stopped")) {
      JsonNode training = JSON.readTree(folder.resolve(run + "/config.json").toFile()).get("training");
      assertThat(training.get("schedule").asText()).isEqualTo("one-cycle");
    }
    assertThat(folder.resolve("stopped/model.safetensors")).hasSameBinaryContentAs(folder.resolve("whole/model.safetensors"));

    CommandLineRunner longer = train("whole", "--resume --epochs 121");
    assertThat(longer.exitCode()).isEqualTo(1);
    assertThat(longer.err()).contains("the learning rate of this run goes by its number of epochs, 120");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--ema-decay 0.99", "--lookahead-steps 5 --optim sgd --lr 0.1 --momentum 0.9 --nesterov"})
  void theAverageIsTheModelAndTheRunGoesOnFromTheWeights(String average) throws IOException {
    String options = SMALL + "--lr-decay-milestones 3 --clip-grad-norm 0.5 " + average + " ";
    CommandLineRunner whole = train("whole", options + "--epochs 4 --json");
    assertThat(whole.exitCode()).as(whole.err()).isZero();
    assertThat(train("stopped", options + "--epochs 2").exitCode()).isZero();
    assertThat(train("stopped", "--resume --epochs 4").exitCode()).isZero();
    assertThat(folder.resolve("stopped/model.safetensors")).hasSameBinaryContentAs(folder.resolve("whole/model.safetensors"));

    Map<String, HostTensor> model = SafeTensors.read(folder.resolve("whole/model.safetensors")).tensors();
    Map<String, HostTensor> checkpoint = SafeTensors.read(folder.resolve("whole/checkpoint.safetensors")).tensors();
    assertThat(model.get("layer_out.weight").toFloats())
        .isEqualTo(checkpoint.get("optimizer.layer_out.average.weight").toFloats())
        .isNotEqualTo(checkpoint.get("layer_out.weight").toFloats());
    assertThat(model.get("layers.0.bn.running_mean").toFloats())
        .isNotEqualTo(checkpoint.get("layers.0.bn.running_mean").toFloats());
    JsonNode evaluated = CommandLineRunner.run("evaluate", folder.resolve("whole"), "--json", "--threads", 1).lastEvent();
    assertThat(evaluated.get("test_error")).isEqualTo(whole.lastEvent().get("test_error"));
  }

  @Test
  void patienceEndsTheRunAndIsKept() throws IOException {
    CommandLineRunner run = train("a", WITHOUT_LEARNING + "--epochs 10 --patience 2 --json");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.lastEvent().get("epochs").asInt()).isEqualTo(3);
    assertThat(run.lastEvent().get("ended_by").asText()).isEqualTo("patience");
    assertThat(run.err()).contains("ended by --patience: the test error has not improved since epoch 1");
    JsonNode config = JSON.readTree(folder.resolve("a/config.json").toFile());
    assertThat(config.get("training").get("patience").asInt()).isEqualTo(2);
    assertThat(folder.resolve("a/model.safetensors")).exists();

    CommandLineRunner again = train("a", "--resume --json");
    assertThat(again.exitCode()).isZero();
    assertThat(again.err()).contains("nothing left to train");
    assertThat(again.events()).hasSize(1);

    CommandLineRunner longer = train("a", "--resume --patience 4 --json");
    assertThat(longer.lastEvent().get("epochs").asInt()).isEqualTo(5);
    CommandLineRunner toTheEnd = train("a", "--resume --patience 0 --epochs 7 --json");
    assertThat(toTheEnd.lastEvent().get("epochs").asInt()).isEqualTo(7);
    assertThat(toTheEnd.lastEvent().get("ended_by").asText()).isEqualTo("epochs");
  }

  @Test
  void patienceCountsFromTheBestEpoch() throws IOException {
    CommandLineRunner run = train("a", SMALL + "--epochs 60 --patience 3 --json");
    List<JsonNode> epochs = run.events().subList(0, run.events().size() - 1);
    int best = 0;
    for (int i = 1; i < epochs.size(); i++) {
      assertThat(i - best).isLessThanOrEqualTo(3);
      if (epochs.get(i).get("test_error").asDouble() < epochs.get(best).get("test_error").asDouble()) {
        best = i;
      }
    }
    assertThat(epochs.size() == 60 || epochs.size() - 1 - best == 3).isTrue();
  }

  @Test
  void theTimeLimitStopsWithACheckpoint() {
    long started = System.nanoTime();
    CommandLineRunner run = train("a", SMALL + "--epochs 1000000 --time-limit 1s --checkpoint-every 1000");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofMinutes(1));
    assertThat(run.err()).contains("time limit reached").contains("layerwise train --resume " + folder.resolve("a"));
    assertThat(folder.resolve("a/model.safetensors")).doesNotExist();
    int epochs = (int) run.out().lines().filter(line -> line.startsWith("epoch ")).count();
    assertThat(RecordedRun.read(folder.resolve("a")).result().epochs()).isEqualTo(epochs);
  }

  @Test
  void quietPrintsResultsAndErrorsOnly() {
    CommandLineRunner quiet = train("quiet", "--epochs 1 --quiet");
    assertThat(quiet.exitCode()).isZero();
    assertThat(quiet.err()).isEmpty();
    assertThat(quiet.out()).contains("epoch 1/1");
    CommandLineRunner refused = train("quiet", "--epochs 1 -q");
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err()).startsWith("layerwise: the folder").contains("already holds a run");
    CommandLineRunner unreadable = CommandLineRunner.run("predict", folder.resolve("quiet"), folder.resolve("none.png"), "-q");
    assertThat(unreadable.exitCode()).isEqualTo(1);
    assertThat(unreadable.err()).contains("none.png");
  }

  @Test
  void theTimeLimitIsTheLastEventAndItsCommandWorks() throws Exception {
    Path out = folder.resolve("it's a run");
    Path images = TestImageFolder.redAndBlue(folder.resolve("my images"));
    CommandLineRunner run =
        CommandLineRunner.run(
            "train", "--dataset", "image-folder", "--data-dir", images, "--image-size", 16, "--model", "mlp",
            "--num-hidden", 8, "--threads", 1, "--epochs", 1000000, "--time-limit", "1s", "--json", "--out", out);
    assertThat(run.exitCode()).as(run.err()).isZero();
    JsonNode last = run.lastEvent();
    assertThat(last.get("event").asText()).isEqualTo("stopped");
    assertThat(last.get("reason").asText()).isEqualTo("time-limit");
    assertThat(last.get("epochs").asInt()).isEqualTo(run.events().size() - 1);
    assertThat(last.get("resume").asText()).isEqualTo(out.toString());

    String command = run.err().replaceAll("(?s).*Continue with: ([^\n]*)\n.*", "$1");
    String words = command.replaceFirst("layerwise", "printf '%s\\\\n'") + " --time-limit 1s --json";
    Process shell = new ProcessBuilder("sh", "-c", words).start();
    String[] arguments = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8).split("\n");
    assertThat(arguments)
        .startsWith("train", "--resume", out.toString(), "--time-limit");
    CommandLineRunner resumed = CommandLineRunner.run((Object[]) arguments);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(resumed.lastEvent().get("epochs").asInt()).isGreaterThanOrEqualTo(last.get("epochs").asInt());
  }

  @Test
  void aSignalIsTheLastEvent() throws Exception {
    Path run = folder.resolve("run");
    Path err = folder.resolve("err");
    Path out = folder.resolve("out");
    Process process =
        new ProcessBuilder(
                JavaProcess.command(
                    "train", "--num-layers", 1, "--num-hidden", 16, "--threads", 1, "--epochs", 1000000, "--json",
                    "--out", run))
            .redirectError(err.toFile()).redirectOutput(out.toFile()).start();
    try {
      waitFor(process, err, "writing the run");
      new ProcessBuilder("kill", "-TERM", Long.toString(process.pid())).start().waitFor();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isEqualTo(143);
      List<String> lines = Files.readAllLines(out);
      JsonNode last = JSON.readTree(lines.get(lines.size() - 1));
      assertThat(last.get("event").asText()).isEqualTo("stopped");
      assertThat(last.get("reason").asText()).isEqualTo("signal");
      assertThat(last.get("epochs").asInt()).isEqualTo(lines.size() - 1);
    } finally {
      process.destroyForcibly().waitFor();
    }
  }

  @Test
  void aRunThatIsNotFinishedHasNoModelYet() {
    assertThat(train("a", SMALL + "--epochs 1000000 --time-limit 1s").exitCode()).isZero();
    Path run = folder.resolve("a");
    Object[][] uses = {
      {"evaluate", run},
      {"inspect", run},
      {"predict", run, folder},
      {"embed", run, "--dataset", "digits", "--out", folder.resolve("x.npy")},
      {"export", run, "--onnx", folder.resolve("x.onnx")}
    };
    for (Object[] use : uses) {
      CommandLineRunner used = CommandLineRunner.run(use);
      assertThat(used.exitCode()).isEqualTo(1);
      assertThat(used.err())
          .contains("the run in " + run + " is not finished", "continue it with: layerwise train --resume " + run);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"7steps", "2", "1s"})
  void whenCheckpointsAreWrittenChangesNothing(String schedule) throws IOException {
    assertThat(train("a", SMALL + "--epochs 3").exitCode()).isZero();
    CommandLineRunner other = train("b", SMALL + "--epochs 3 --checkpoint-every " + schedule);
    assertThat(other.exitCode()).as(other.err()).isZero();
    assertThat(Files.readAllBytes(folder.resolve("b/model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("a/model.safetensors")));
    assertThat(metricsWithoutTimes("b")).isEqualTo(metricsWithoutTimes("a"));
    assertThat(RecordedRun.read(folder.resolve("b")).result().finished()).isTrue();
  }

  @Test
  void lookingAtARunChangesNothing() {
    assertThat(train("a", SMALL + "--epochs 2").exitCode()).isZero();
    RunConfig config = RecordedRun.read(folder.resolve("a")).config();
    List<EpochProgress> seen = new ArrayList<>();
    List<EpochReport> reports = new ArrayList<>();
    try (NativeContext context = NativeContext.create(config.device(), config.training().seed());
        RunDirectory directory = RunDirectory.open(folder.resolve("b"));
        TrainingRun run =
            TrainingRun.start(context, config, DataSets.load("digits", null), directory, new SingleProcess())) {
      run.run(SessionSettings.DEFAULT, new TrainingListener() {
        @Override
        public Duration progressInterval() {
          return Duration.ZERO;
        }

        @Override
        public void progressed(EpochProgress progress) {
          seen.add(progress);
        }

        @Override
        public void epochEnded(EpochReport report) {
          reports.add(report);
        }
      });
    }
    int steps = (1437 + 63) / 64;
    assertThat(seen).hasSize(2 * (steps + 2));
    assertThat(seen.get(0).trainLoss()).isNaN();
    assertThat(seen.get(1).images()).isEqualTo(64);
    EpochProgress last = seen.get(steps + 1);
    assertThat(last.trainLoss()).isEqualTo(reports.get(0).trainLoss());
    assertThat(last.blocks())
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields("localTestError") // known after the epoch only
        .isEqualTo(reports.get(0).blocks());
    assertThat(metricsWithoutTimes("b")).isEqualTo(metricsWithoutTimes("a"));
    assertThat(folder.resolve("b/model.safetensors")).hasSameBinaryContentAs(folder.resolve("a/model.safetensors"));
  }

  @Test
  void aSecondControlCStopsAtOnce() throws Exception {
    Path run = folder.resolve("slow");
    Path err = folder.resolve("err");
    // One step of plain loops: about 1437 · 2500² multiplications for each of the similarity loss' three products.
    Process process =
        new ProcessBuilder(
                JavaProcess.command(
                    "train", "--device", "reference", "--num-layers", 1, "--num-hidden", 2500, "--batch-size", 1437,
                    "--epochs", 2, "--out", run))
            .redirectError(err.toFile()).start();
    try {
      waitFor(process, err, "writing the run");
      TimeUnit.MILLISECONDS.sleep(300);
      interrupt(process);
      waitFor(process, err, "press Ctrl-C again to stop at once");
      assertThat(process.waitFor(200, TimeUnit.MILLISECONDS)).as("the step is not over yet").isFalse();
      long second = System.nanoTime();
      interrupt(process);
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(Duration.ofNanos(System.nanoTime() - second)).isLessThan(Duration.ofSeconds(5));
      assertThat(process.exitValue()).isEqualTo(130);
      assertThat(RecordedRun.read(run).result().epochs()).isZero();
    } finally {
      process.destroyForcibly().waitFor();
    }
  }

  private static void interrupt(Process process) throws Exception {
    new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
  }

  private static void waitFor(Process process, Path file, String text) throws Exception {
    while (!Files.readString(file).contains(text)) {
      assertThat(process.isAlive()).as("waiting for: " + text).isTrue();
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--patience -1            | --patience must be in 0",
    "--patience few           | --patience",
    "--time-limit 30          | '30' is not a duration such as 90s, 30m or 1h30m",
    "--time-limit 0s          | '0s' is not a duration",
    "--time-limit 1m1h        | '1m1h' is not a duration",
    "--checkpoint-every 0     | '0' is not a number of epochs such as 5, of steps such as 200steps, or a duration",
    "--checkpoint-every never | 'never' is not a number of epochs",
  })
  void wrongUsageExitsWith2(String options, String message) {
    CommandLineRunner run = train("a", options);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains(message).doesNotContain("\tat ");
    assertThat(folder.resolve("a")).doesNotExist();
  }

  private List<JsonNode> metricsWithoutTimes(String run) {
    try {
      List<JsonNode> lines = new ArrayList<>();
      for (String line : Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl"))) {
        lines.add(((ObjectNode) JSON.readTree(line)).without(List.of("seconds", "images_per_second")));
      }
      return lines;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private CommandLineRunner train(String run, String options) {
    return CommandLineRunner.line("train --out " + folder.resolve(run) + " " + options);
  }
}
