package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Event files, as TensorBoard's own reader sees them. */
class TensorBoardTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path READER = Path.of("src/test/python/read_events.py");

  @TempDir private Path folder;

  @Test
  void everyEpochIsThereOnce() throws Exception {
    String python = pythonWithTensorBoard();
    assertThat(train("--epochs 2 --tensorboard --validation 0.1").exitCode()).isZero();
    compare(python, 2);
    Path file = eventFile();
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length - 7)); // as a process leaves it that is killed
    CommandLineRunner resumed = train("--epochs 4 --resume");
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    compare(python, 4);
  }

  @Test
  void aRunMayBeginWithIt() throws Exception {
    String python = pythonWithTensorBoard();
    assertThat(train("--epochs 2").exitCode()).isZero();
    assertThat(train("--epochs 3 --resume --tensorboard").exitCode()).isZero();
    compare(python, 3);
  }

  @Test
  void onlyWhereItIsAskedFor() throws IOException {
    assertThat(train("--epochs 1").exitCode()).isZero();
    assertThat(eventFiles()).isEmpty();
  }

  /** Tags and values are those of metrics.jsonl, in float32. */
  private void compare(String python, int epochs) throws Exception {
    JsonNode read = read(python);
    assertThat(read.get("records").asInt()).as("a version, a start, settings, the epochs, the end").isEqualTo(4 + epochs);
    JsonNode scalars = read.get("scalars");
    List<String> lines = Files.readAllLines(folder.resolve("run/metrics.jsonl"));
    boolean validated = JSON.readTree(lines.get(0)).has("validation_error");
    assertThat(scalars).hasSize(6 + 4 + (validated ? 2 : 0));
    assertThat(lines).hasSize(epochs);
    for (int i = 0; i < epochs; i++) {
      JsonNode line = JSON.readTree(lines.get(i));
      JsonNode block = line.get("blocks").get(0);
      check(scalars, "loss/train", i, line.get("train_loss"));
      check(scalars, "loss/test", i, line.get("test_loss"));
      check(scalars, "error/train", i, line.get("train_error"));
      check(scalars, "error/test", i, line.get("test_error"));
      if (validated) {
        check(scalars, "loss/validation", i, line.get("validation_loss"));
        check(scalars, "error/validation", i, line.get("validation_error"));
      }
      check(scalars, "learning_rate", i, line.get("lr"));
      check(scalars, "images_per_second", i, line.get("images_per_second"));
      check(scalars, "local_error/layers.0", i, block.get("local_error"));
      check(scalars, "local_test_error/layers.0", i, block.get("local_test_error"));
      check(scalars, "similarity_loss/layers.0", i, block.get("similarity_loss"));
      check(scalars, "prediction_loss/layers.0", i, block.get("prediction_loss"));
    }
    assertThat(scalars.get("loss/train")).hasSize(epochs);
    JsonNode settings = read.get("hparams");
    assertThat(settings.get("training.epochs").asInt()).isEqualTo(epochs);
    assertThat(settings.get("training.dataset").asText()).isEqualTo("digits");
    assertThat(settings.get("device.tf32").isBoolean()).isTrue();
    assertThat(read.get("status").asInt()).as("success").isEqualTo(1);
    double last = JSON.readTree(lines.get(epochs - 1)).get("test_error").asDouble();
    assertThat(read.get("table")).hasSize(1);
    assertThat((float) read.get("table").get(0).get("error/test").asDouble()).isEqualTo((float) last);
  }

  @Test
  void batchesAreStepsOfTheirOwn() throws Exception {
    String python = pythonWithTensorBoard();
    String small = " --tensorboard --batch-size 16"; // 90 batches an epoch
    assertThat(train("--epochs 2" + small).exitCode()).isZero();
    byte[] model = Files.readAllBytes(folder.resolve("run/model.safetensors"));
    JsonNode first = read(python).get("steps");
    List<Integer> before = steps(first);
    assertThat(before).first().isEqualTo(50);
    assertThat(train("--epochs 4 --resume").exitCode()).isZero();
    JsonNode both = read(python).get("steps");
    assertThat(steps(both)).startsWith(before.toArray(new Integer[0])).contains(230).isSorted(); // 50 after resuming at 180
    assertThat(both.get("step_error/train").get(0).get(1).asDouble()).isBetween(0.0, 100.0);
    assertThat(both.get("step_loss/train").get(0).get(1).asDouble()).isPositive().isLessThan(5);
    try (Stream<Path> files = Files.list(folder.resolve("run/steps"))) {
      assertThat(files).as("a file per session").hasSize(2);
    }
    Files.move(folder.resolve("run"), folder.resolve("with"));
    assertThat(train("--epochs 2 --batch-size 16").exitCode()).isZero();
    assertThat(folder.resolve("run/model.safetensors")).hasBinaryContent(model);
    assertThat(folder.resolve("run/steps")).doesNotExist();
  }

  private static List<Integer> steps(JsonNode scalars) {
    List<Integer> steps = new ArrayList<>();
    scalars.get("step_loss/train").forEach(point -> steps.add(point.get(0).asInt()));
    return steps;
  }

  private static void check(JsonNode scalars, String tag, int index, JsonNode expected) {
    JsonNode stepAndValue = scalars.get(tag).get(index);
    assertThat(stepAndValue.get(0).asInt()).isEqualTo(index + 1);
    assertThat((float) stepAndValue.get(1).asDouble()).as(tag).isEqualTo((float) expected.asDouble());
  }

  private JsonNode read(String python) throws Exception {
    Path err = folder.resolve("python.err");
    Process process =
        new ProcessBuilder(python, READER.toString(), folder.resolve("run").toString(), eventFile().toString())
            .redirectError(err.toFile()).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(Files.readString(err)).isZero();
    return JSON.readTree(out);
  }

  private Path eventFile() throws IOException {
    List<Path> files = eventFiles();
    assertThat(files).hasSize(1);
    return files.get(0);
  }

  private List<Path> eventFiles() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("run"))) {
      return files.filter(file -> file.getFileName().toString().contains("tfevents")).toList();
    }
  }

  private CommandLineRunner train(String options) {
    String all = "train --num-layers 1 --num-hidden 16 --threads 1 --out " + folder.resolve("run") + " " + options;
    return CommandLineRunner.run((Object[]) all.split(" +"));
  }

  /** The one that ci/setup has made, or the system's; skips the test without one that has the package. */
  private static String pythonWithTensorBoard() throws Exception {
    for (String python : new String[] {"../build/python/bin/python", "python3"}) {
      if (python.contains("/") && !Files.isExecutable(Path.of(python))) {
        continue;
      }
      try {
        Process process =
            new ProcessBuilder(python, "-c", "import tensorboard")
                .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        if (process.waitFor() == 0) {
          return python;
        }
      } catch (IOException e) {
        continue; // no such program
      }
    }
    assumeTrue(false, "needs Python with the package tensorboard, which ci/setup installs into build/python");
    return null;
  }
}
