package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.TestTensors;
import dev.layerwise.safetensors.HostTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Blocks that learn from the loss of a later one: {@code --blocks-per-loss}. */
class SharedLossTest {
  private static final String SMALL =
      "--num-layers 4 --num-hidden 24 --threads 1 --dropout 0.1 --batch-size 100 --lr 2e-3 --json ";

  @TempDir private Path folder;

  private CommandLineRunner train(String run, String options) {
    return CommandLineRunner.succeed("train --out " + folder.resolve(run) + " " + options);
  }

  private Path model(String run) {
    return folder.resolve(run).resolve("model.safetensors");
  }

  private Map<String, HostTensor> weights(String run) {
    return TestTensors.ofModel(folder.resolve(run));
  }

  private static List<String> names(JsonNode list) {
    List<String> names = new ArrayList<>();
    list.forEach(entry -> names.add(entry.get("name").asText()));
    return names;
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "reference"})
  void allBlocksLearnAndOnlyTheLastOfEachGroupHasALoss(String device) {
    CommandLineRunner run = train("a", SMALL + "--device " + device + " --epochs 12 --blocks-per-loss 2");
    assertThat(names(run.events().get(0).get("blocks"))).containsExactly("layers.1", "layers.3");
    assertThat(run.lastEvent().get("test_error").asDouble()).as("as good as with a loss each").isLessThan(20);
    assertThat(weights("a").keySet())
        .contains("layers.1.linear_loss.weight", "layers.3.linear_loss.weight")
        .doesNotContain("layers.0.linear_loss.weight", "layers.2.linear_loss.weight");

    CommandLineRunner started = train("b", SMALL + "--device " + device + " --epochs 1 --lr 1e-30 --blocks-per-loss 2");
    assertThat(started.exitCode()).isZero();
    Map<String, HostTensor> before = weights("b");
    for (int layer = 0; layer < 4; layer++) {
      String encoder = "layers." + layer + ".encoder.weight";
      assertThat(weights("a").get(encoder).data()).as(encoder).isNotEqualTo(before.get(encoder).data());
    }
    CommandLineRunner best =
        CommandLineRunner.run("evaluate", folder.resolve("a"), "--classifier", "best", "--validation", "0.2", "--json");
    assertThat(best.exitCode()).as(best.err()).isZero();
    CommandLineRunner exits = CommandLineRunner.run("evaluate", folder.resolve("a"), "--exit-confidence", "0.9");
    assertThat(exits.exitCode()).as(exits.err()).isZero();
    CommandLineRunner cut =
        CommandLineRunner.run("export", folder.resolve("a"), "--layer", "layers.2", "--onnx", folder.resolve("a.onnx"));
    assertThat(cut.exitCode()).isNotZero();
    assertThat(cut.err()).contains("layers.2").doesNotContain("\tat ");
  }

  /** A group of all hidden blocks: what is above the last loss does not reach them. */
  @Test
  void aGroupDoesNotLearnFromWhatFollowsIt() {
    String four = SMALL + "--epochs 2 --blocks-per-loss 2 --num-layers ";
    train("four", four.replace("--num-layers 4 ", "") + "4");
    train("six", four.replace("--num-layers 4 ", "") + "6");
    Map<String, HostTensor> expected = weights("four");
    weights("six").forEach(
        (name, tensor) -> {
          if (name.startsWith("layers.0.") || name.startsWith("layers.1.")) {
            assertThat(tensor.data()).as(name).isEqualTo(expected.get(name).data());
          }
        });
  }

  @Test
  void oneBlockPerLossIsThePublishedMethod() {
    train("one", SMALL + "--epochs 2 --blocks-per-loss 1");
    train("published", SMALL + "--epochs 2");
    assertThat(model("one")).hasSameBinaryContentAs(model("published"));
    assertThat(folder.resolve("one/config.json")).content().doesNotContain("blocks_per_loss");
  }

  @Test
  void aResumedRunEndsWithTheSameBits() {
    train("whole", SMALL + "--epochs 4 --blocks-per-loss 3");
    train("parts", SMALL + "--epochs 2 --blocks-per-loss 3");
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", folder.resolve("parts"), "--epochs", 4);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(model("parts")).hasSameBinaryContentAs(model("whole"));
    CommandLineRunner changed =
        CommandLineRunner.run("train", "--resume", folder.resolve("parts"), "--epochs", 5, "--blocks-per-loss", 2);
    assertThat(changed.exitCode()).isEqualTo(2);
    assertThat(changed.err()).contains("would change blocks_per_loss from 3 to 2");
  }

  @Test
  void aGroupIsFrozenAsAWhole() {
    train("one", SMALL + "--epochs 1 --blocks-per-loss 2 --freeze-after 1");
    train("three", SMALL + "--epochs 3 --blocks-per-loss 2 --freeze-after 1");
    Map<String, HostTensor> first = weights("one");
    weights("three").forEach(
        (name, tensor) -> {
          boolean frozen = name.startsWith("layers.0.") || name.startsWith("layers.1.");
          if (frozen || name.endsWith("encoder.weight")) {
            assertThat(tensor.data().equals(first.get(name).data())).as(name).isEqualTo(frozen);
          }
        });
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--blocks-per-loss 0             | --blocks-per-loss must be in 1 … 10000",
    "--blocks-per-loss 2 --backprop  | --blocks-per-loss groups blocks between which no gradient travels",
    "--blocks-per-loss 2 --no-detach | --blocks-per-loss groups blocks between which no gradient travels",
    "--blocks-per-loss 2 --bio       | --blocks-per-loss groups blocks between which no gradient travels",
  })
  void whatDoesNotGoTogetherIsRefused(String options, String message) {
    CommandLineRunner run =
        CommandLineRunner.line("train --out " + folder.resolve("a") + " " + options);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains(message).doesNotContain("\tat ");
    assertThat(folder.resolve("a")).doesNotExist();
  }
}
