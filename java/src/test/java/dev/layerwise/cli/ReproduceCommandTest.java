package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.SyntheticFiles;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReproduceCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  @BeforeEach
  void writeImages() {
    SyntheticFiles.writeMnist(folder.resolve("data"), 64, 20);
  }

  @Test
  void runsEveryLossAndWritesTheTable() throws IOException {
    CommandLineRunner run = reproduce("--dataset mnist --model mlp --seeds 2 --epochs-scale 0.02");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.out()).containsPattern("mnist-mlp-predsim +\\d+\\.\\d\\d ± \\d+\\.\\d\\d +0\\.62 +2 +2 +\\d");
    assertThat(Files.readString(out("table.md"))).contains("| mnist-mlp-global | ", " | 0.75 | 2 | 2 | ");
    JsonNode table = JSON.readTree(out("table.json").toFile());
    assertThat(table.get("precision").asText()).isIn("f32", "bf16");
    assertThat(Files.readString(out("table.md")))
        .contains(", cpu in " + table.get("precision").asText() + ", threads: ");
    assertThat(table.get("epochs_scale").asDouble()).isEqualTo(0.02);
    assertThat(table.get("rows")).hasSize(4);
    double sum = 0;
    for (long seed = 1; seed <= 2; seed++) {
      List<String> epochs = Files.readAllLines(out("mnist-mlp-pred/seed-" + seed + "/metrics.jsonl"));
      assertThat(epochs).hasSize(2);
      sum += JSON.readTree(epochs.get(1)).get("test_error").asDouble();
      JsonNode training = JSON.readTree(out("mnist-mlp-pred/seed-" + seed + "/config.json").toFile()).get("training");
      assertThat(training.get("seed").asLong()).isEqualTo(seed);
      assertThat(training.get("lr_decay_milestones").toString()).isEqualTo("[1,2,2,2]");
    }
    JsonNode pred = table.get("rows").get(1);
    assertThat(pred.get("preset").asText()).isEqualTo("mnist-mlp-pred");
    assertThat(pred.get("mean").asDouble()).isEqualTo(sum / 2);
    assertThat(pred.get("published_error").asDouble()).isEqualTo(0.68);
  }

  @Test
  void finishedRunsAreKeptAndNewOnesJoinTheTable() throws IOException {
    String common = "--dataset fashion-mnist --model mlp --epochs-scale 0.005 --json ";
    CommandLineRunner first = reproduce(common + "--loss pred --seeds 1");
    assertThat(first.exitCode()).as(first.err()).isZero();
    Path model = out("fashion-mlp-pred/seed-1/model.safetensors");
    Object written = Files.getLastModifiedTime(model);
    CommandLineRunner second = reproduce(common + "--loss sim --seeds 2");
    assertThat(kinds(second)).containsExactly("epoch", "run", "epoch", "run", "table");
    JsonNode rows = second.lastEvent().get("rows");
    assertThat(rows).hasSize(2);
    assertThat(rows.get(0).get("seeds").toString()).isEqualTo("[1]");
    assertThat(rows.get(1).get("seeds").toString()).isEqualTo("[1,2]");
    CommandLineRunner third = reproduce(common + "--loss pred --seeds 2");
    assertThat(kinds(third)).containsExactly("run", "epoch", "run", "table");
    assertThat(third.err()).contains("fashion-mlp-pred, seed 1: already finished");
    assertThat(Files.getLastModifiedTime(model)).isEqualTo(written);
    JsonNode run = third.events().get(0);
    assertThat(run.get("test_error")).isEqualTo(first.events().get(1).get("test_error"));
    assertThat(run.get("published_error").asDouble()).isEqualTo(8.6);
    assertThat(run.get("seconds")).isEqualTo(first.events().get(1).get("seconds"));
  }

  @Test
  void runsOnOtherImagesDoNotGetIntoTheTable() {
    String options = "--dataset mnist --model mlp --loss pred --seeds 1 --epochs-scale 0.01 --json";
    assertThat(reproduce(options).exitCode()).isZero();
    SyntheticFiles.writeMnist(folder.resolve("data"), 63, 20);
    CommandLineRunner refused = reproduce(options);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err())
        .contains(out("mnist-mlp-pred/seed-1") + ": the training images are not those", "64 images then, 63 now")
        .contains("start a new run in another folder")
        .doesNotContain("\tat ");
    CommandLineRunner other = reproduce(options.replace("pred", "sim"));
    assertThat(other.exitCode()).as(other.err()).isZero();
    assertThat(other.lastEvent().get("rows")).hasSize(1);
  }

  @Test
  void controlCSavesAndTheSameCommandContinues() throws Exception {
    String options = "--dataset mnist --model mlp --loss predsim --seeds 2 --epochs-scale 0.1 --json --threads 1";
    assertThat(reproduce(options, "whole").exitCode()).isZero();
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
            System.getProperty("java.class.path"), "dev.layerwise.cli.Main");
    Stream<String> arguments = Arrays.stream(arguments(options, "out")).map(Object::toString);
    // A shell's background jobs, which this test may be one of, ignore SIGINT.
    Stream<String> interruptible = Stream.concat(Stream.of("env", "--default-signal=INT"), command.stream());
    ProcessBuilder builder = new ProcessBuilder(Stream.concat(interruptible, arguments).toList());
    Process process = builder.redirectError(folder.resolve("err").toFile()).start();
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      lines.readLine();
      lines.readLine();
      new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isEqualTo(130);
    }
    assertThat(Files.readString(folder.resolve("err"))).contains("Run the same command again to continue");
    CommandLineRunner resumed = reproduce(options);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(resumed.err()).containsPattern("seed 1: (continuing with epoch [2-9]|already finished)");
    for (int seed = 1; seed <= 2; seed++) {
      String model = "mnist-mlp-predsim/seed-" + seed + "/model.safetensors";
      assertThat(Files.readAllBytes(out(model))).isEqualTo(Files.readAllBytes(folder.resolve("whole").resolve(model)));
      assertThat(Files.readAllLines(out("mnist-mlp-predsim/seed-" + seed + "/metrics.jsonl"))).hasSize(10);
    }
  }

  @Test
  void aDamagedCheckpointOfAnotherRecipeIsLeftOut() throws IOException {
    String options = "--dataset mnist --model mlp --seeds 1 --epochs-scale 0.01 --loss ";
    assertThat(reproduce(options + "pred").exitCode()).isZero();
    assertThat(reproduce(options + "global").exitCode()).isZero();
    Files.write(out("mnist-mlp-pred/seed-1/checkpoint.safetensors"), new byte[100]);
    CommandLineRunner other = reproduce(options + "global");
    assertThat(other.exitCode()).as(other.err()).isZero();
    assertThat(other.err()).contains("mnist-mlp-pred, seed 1: not in the table: ", "checkpoint.safetensors");
    assertThat(other.out()).contains("mnist-mlp-global").doesNotContain("mnist-mlp-pred");
    CommandLineRunner same = reproduce(options + "pred");
    assertThat(same.exitCode()).isEqualTo(1);
    assertThat(same.err()).contains("mnist-mlp-pred/seed-1/checkpoint.safetensors");
  }

  @Test
  void runsOfAnotherConfigurationStayOut() {
    String options = "--dataset mnist --model mlp --loss global --seeds 1 --epochs-scale ";
    assertThat(reproduce(options + "0.01").exitCode()).isZero();
    CommandLineRunner run = reproduce(options + "0.02");
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err())
        .contains("seed-1 holds a run of another configuration", "epochs from 1 to 2", "choose another --out");
  }

  @Test
  void aModelWithoutItsCheckpointIsNotTrainedOver() throws IOException {
    String options = "--dataset mnist --model mlp --loss global --seeds 1 --epochs-scale 0.01";
    assertThat(reproduce(options).exitCode()).isZero();
    Files.delete(out("mnist-mlp-global/seed-1/checkpoint.safetensors"));
    CommandLineRunner run = reproduce(options);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains("holds a model without its checkpoint");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--model mlp                                             | 2 | Missing required option: '--dataset=NAME'",
    "--dataset mnist                                         | 2 | Missing required option: '--model=NAME'",
    "--dataset digits --model mlp                            | 2 | --dataset: unknown value 'digits'; choose from mnist",
    "--dataset mnist --model vgg11b                          | 2 | --model takes one of mlp, vgg8b, vgg8b-cutout14",
    "--dataset mnist --model mlp --loss cosine               | 2 | --loss: unknown value 'cosine'",
    "--dataset mnist --model vgg8b-cutout14 --loss sim       | 2 | was not trained with --loss sim, but with predsim",
    "--dataset mnist --model mlp --seeds 0                   | 2 | --seeds must be in 1",
    "--dataset mnist --model mlp --epochs-scale 0            | 2 | --epochs-scale must be positive",
    "--dataset mnist --model mlp --epochs-scale NaN          | 2 | --epochs-scale must be positive",
    "--dataset mnist --model mlp --device tpu                | 2 | there is no device 'tpu'",
    "--dataset cifar-10 --model mlp                          | 1 | CIFAR-10 was not found",
  })
  void wrongUsageAndFailuresAreOneSentence(String options, int exitCode, String message) {
    CommandLineRunner run = reproduce(options);
    assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
    assertThat(run.err()).contains(message).doesNotContain("\tat ").doesNotContain("internal error");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void verboseShowsTheEngines() {
    Preset preset = Presets.all().get(0);
    StringWriter quiet = new StringWriter();
    PrintWriter out = new PrintWriter(new StringWriter());
    new ReproductionPrinter(out, new PrintWriter(quiet), false, false, null).of(preset, 1).usedEngines("product: fused\n");
    assertThat(quiet.toString()).isEmpty();
    StringWriter verbose = new StringWriter();
    new ReproductionPrinter(out, new PrintWriter(verbose), false, true, null).of(preset, 1).usedEngines("product: fused\n");
    assertThat(verbose.toString()).isEqualTo(String.format("engines%n  product: fused\n"));
  }

  private Path out(String file) {
    return folder.resolve("out").resolve(file);
  }

  private static List<String> kinds(CommandLineRunner run) {
    assertThat(run.exitCode()).as(run.err()).isZero();
    return run.events().stream().map(event -> event.get("event").asText()).toList();
  }

  private Object[] arguments(String options, String out) {
    Stream<Object> fixed = Stream.of("reproduce", "--data-dir", folder.resolve("data"), "--out", folder.resolve(out));
    return Stream.concat(fixed, Stream.of((Object[]) options.split(" +"))).toArray();
  }

  private CommandLineRunner reproduce(String options) {
    return reproduce(options, "out");
  }

  private CommandLineRunner reproduce(String options, String out) {
    return CommandLineRunner.run(arguments(options, out));
  }
}
