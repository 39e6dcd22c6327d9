package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.NetworkDescriptions;
import dev.layerwise.TestTensors;
import dev.layerwise.data.DataSets;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.MetricsFile;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.train.EpochProgress;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.SingleProcess;
import dev.layerwise.train.TrainingListener;
import dev.layerwise.train.TrainingRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Blocks that are trained for a part of the run only: {@code --freeze-after}. */
class FreezingTest {
  private static final String SMALL =
      "--num-layers 3 --num-hidden 16 --threads 1 --dropout 0.1 --batch-size 100 --optim amsgrad --weight-decay 1e-3 ";

  @TempDir private Path folder;

  private CommandLineRunner train(String run, String options) {
    return CommandLineRunner.succeed("train --out " + folder.resolve(run) + " " + options);
  }

  private Map<String, HostTensor> weights(String run) {
    return TestTensors.ofModel(folder.resolve(run));
  }

  /** That all that a block holds is the same in two runs, or that all its parameters differ. */
  private void assertBlock(String name, String run, String other, boolean same) {
    Map<String, HostTensor> expected = weights(other);
    assertThat(expected.keySet()).anyMatch(tensor -> tensor.startsWith(name + "."));
    weights(run).forEach(
        (tensor, values) -> {
          if (tensor.startsWith(name + ".") && (same || tensor.endsWith("weight"))) {
            boolean equal = values.data().equals(expected.get(tensor).data());
            assertThat(equal).as("%s in %s and %s", tensor, run, other).isEqualTo(same);
          }
        });
  }

  private static boolean isFrozen(JsonNode epoch, int block) {
    return epoch.get("blocks").get(block).path("frozen").asBoolean(false);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "reference"})
  void aFrozenBlockStaysAsItIs(String device) {
    String options = SMALL + "--device " + device + " --json --freeze-after 1,2 --epochs ";
    train("one", options + 1);
    train("two", options + 2);
    CommandLineRunner run = train("four", options + 4);
    assertBlock("layers.0", "four", "one", true);
    assertBlock("layers.1", "two", "one", false);
    assertBlock("layers.1", "four", "two", true);
    assertBlock("layers.2", "four", "two", false);
    assertBlock("layer_out", "four", "two", false);

    List<JsonNode> epochs = run.events().subList(0, 4);
    for (int epoch = 1; epoch <= 4; epoch++) {
      for (int block = 0; block < 3; block++) {
        JsonNode now = epochs.get(epoch - 1);
        boolean frozen = block < 2 && epoch > block + 1;
        assertThat(isFrozen(now, block)).as("block %d in epoch %d", block, epoch).isEqualTo(frozen);
        if (epoch > 1) {
          boolean sameError =
              now.get("blocks").get(block).get("prediction_loss")
                  .equals(epochs.get(epoch - 2).get("blocks").get(block).get("prediction_loss"));
          assertThat(sameError).as("a frozen block reports its last epoch of training").isEqualTo(frozen);
        }
      }
    }
    assertThat(train("words", SMALL + "--freeze-after 1 --epochs 2").out())
        .containsPattern("  layers.0  .* local error \\S+ %  local test error \\S+ %  frozen\n")
        .doesNotContainPattern("layers.1 .*frozen");
  }

  static List<String> residualNetworks() {
    return List.of(NetworkDescriptions.RESIDUAL, NetworkDescriptions.PREACTIVATION);
  }

  @ParameterizedTest
  @MethodSource("residualNetworks")
  void aProjectionIsFrozenWithTheBlockThatItJoins(String description) throws IOException {
    Path network = Files.writeString(folder.resolve("network.json"), description);
    String options = "--threads 1 --batch-size 300 --json --model " + network + " --freeze-after 1,1,1,1,2 --epochs ";
    train("one", options + 1);
    train("two", options + 2);
    train("three", options + 3);
    for (String frozen : List.of("stem", "one.conv1", "one.conv2", "two.conv1")) {
      assertBlock(frozen, "three", "one", true);
    }
    assertBlock("two.side", "two", "one", false);
    assertBlock("two.conv2", "two", "one", false);
    assertBlock("two.side", "three", "two", true);
    assertBlock("two.conv2", "three", "two", true);
    assertBlock("classes", "three", "two", false);
  }

  /** The rule, once more, from what the run reports. */
  @ParameterizedTest
  @CsvSource({"predsim, local_error", "sim, similarity_loss"})
  void underAutoABlockIsFrozenWhenItHasStoppedLearning(String loss, String measure) {
    CommandLineRunner run =
        train("a", SMALL + "--loss " + loss + " --lr 2e-2 --epochs 14 --freeze-after auto --json");
    List<JsonNode> epochs = run.events().subList(0, 14);
    double[] lowest = {Double.MAX_VALUE, Double.MAX_VALUE, Double.MAX_VALUE};
    int[] since = new int[3];
    int frozen = 0;
    for (JsonNode epoch : epochs) {
      for (int block = 0; block < 3; block++) {
        assertThat(isFrozen(epoch, block)).as("block %d in %s", block, epoch).isEqualTo(block < frozen);
        double value = epoch.get("blocks").get(block).get(measure).asDouble();
        boolean fell = value < 0.99 * lowest[block];
        since[block] = fell ? 0 : since[block] + 1;
        lowest[block] = fell ? value : lowest[block];
      }
      while (frozen < 3 && since[frozen] >= 2) {
        frozen++;
      }
    }
    assertThat(frozen).as("at this learning rate blocks soon stop").isPositive();
    resume("a", 7);
  }

  @Test
  void aStoppedRunEndsWithTheSameBits() {
    train("a", SMALL + "--freeze-after 1,3 --epochs 5");
    resume("a", 2);
    resume("a", 4);
  }

  /** Stops a run of the same configuration inside an epoch and resumes it. */
  private void resume(String whole, int inEpoch) {
    RunConfig config = RecordedRun.read(folder.resolve(whole)).config();
    Path part = folder.resolve(whole + "-stopped-in-" + inEpoch);
    try (NativeContext context = NativeContext.create(config.device(), config.training().seed());
        RunDirectory directory = RunDirectory.open(part);
        TrainingRun run =
            TrainingRun.start(context, config, DataSets.load("digits", null), directory, new SingleProcess())) {
      run.run(SessionSettings.DEFAULT, new TrainingListener() {
        @Override
        public Duration progressInterval() {
          return Duration.ZERO;
        }

        @Override
        public void progressed(EpochProgress progress) {
          if (progress.epoch() == inEpoch && progress.images() > 300) {
            run.requestStop();
          }
        }

        @Override
        public void epochEnded(EpochReport report) {
          assertThat(report.epoch()).isLessThan(inEpoch);
        }
      });
    }
    assertThat(RecordedRun.read(part).progress().images()).isPositive();
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", part);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(part.resolve("model.safetensors"))
        .hasSameBinaryContentAs(folder.resolve(whole).resolve("model.safetensors"));
    assertThat(blocks(part)).isEqualTo(blocks(folder.resolve(whole)));
  }

  /** Errors, which are counted, and what was frozen; the last digit of a loss depends on where its sum was cut. */
  private static List<String> blocks(Path run) {
    return new MetricsFile(run).read().epochs().stream()
        .flatMap(epoch -> epoch.blocks().stream())
        .map(block -> block.localError() + " " + block.frozen())
        .toList();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--freeze-after 4,3              | the epochs of --freeze-after begin with 1 at least and do not fall",
    "--freeze-after 0,3              | the epochs of --freeze-after begin with 1 at least and do not fall",
    "--freeze-after soon             | --freeze-after takes epochs, such as 4,6,8, or auto or none, not 'soon'",
    "--freeze-after 1,2,3,4          | --freeze-after has 4 epochs, but the network has only 3 hidden blocks to freeze",
    "--freeze-after 1 --backprop     | --freeze-after needs blocks that learn by themselves; with --backprop or --no-detach",
    "--freeze-after auto --no-detach | --freeze-after needs blocks that learn by themselves; with --backprop or --no-detach",
  })
  void whatCannotBeFrozenIsRefused(String options, String message) {
    CommandLineRunner run =
        CommandLineRunner.line("train --out " + folder.resolve("a") + " " + options);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains(message).doesNotContain("\tat ");
    assertThat(folder.resolve("a")).doesNotExist();
  }

  @Test
  void aResumedRunKeepsWhatItFreezes() {
    train("a", SMALL + "--freeze-after none --epochs 1");
    assertThat(folder.resolve("a/config.json")).content().doesNotContain("freeze");
    assertThat(folder.resolve("a/metrics.jsonl")).content().doesNotContain("frozen");
    CommandLineRunner changed =
        CommandLineRunner.run("train", "--resume", folder.resolve("a"), "--epochs", 2, "--freeze-after", "1");
    assertThat(changed.exitCode()).isEqualTo(2);
    assertThat(changed.err()).contains("would change freeze_after from none to \"1\"");
  }
}
