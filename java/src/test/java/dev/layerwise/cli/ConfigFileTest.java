package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.layerwise.TestImageFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Settings from a file, and a run's own configuration as such a file. */
class ConfigFileTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {
    "--loss predsim --beta 0.9 --validation 0.1 --seed 7",
    "--backprop --schedule one-cycle --lr 2e-3 --label-smoothing 0.1 --cutout --length 3 --n-holes 2",
    "--optim sgd --momentum 0.9 --nesterov --loss pred --bio --target-proj-size 16 --freeze-after 1",
  })
  void aRunsOwnConfigurationRepeatsIt(String options) throws IOException {
    String small = "--epochs 2 --num-layers 2 --num-hidden 16 --threads 1 ";
    CommandLineRunner.succeed("train " + small + options + " --out " + folder.resolve("a"));
    CommandLineRunner.succeed("train --config " + folder.resolve("a/config.json") + " --out " + folder.resolve("b"));
    assertThat(folder.resolve("b/config.json")).hasSameTextualContentAs(folder.resolve("a/config.json"));
    assertThat(folder.resolve("b/model.safetensors")).hasSameBinaryContentAs(folder.resolve("a/model.safetensors"));
  }

  @Test
  void optionsOverrideTheFileAndTheFileThePreset() throws IOException {
    write("{\"dataset\": \"digits\", \"num_hidden\": 16, \"training\": {\"epochs\": 3, \"lr\": 1e-3}, \"beta\": 0.8}");
    CommandLineRunner.succeed(
        "train --preset mnist-mlp-predsim --config " + file() + " --epochs 1 --loss predsim --out " + folder.resolve("a"));
    JsonNode config = JSON.readTree(folder.resolve("a/config.json").toFile());
    JsonNode training = config.path("training");
    assertThat(training.path("dataset").asText()).isEqualTo("digits");
    assertThat(training.path("epochs").asInt()).isEqualTo(1);
    assertThat(training.path("lr").asDouble()).isEqualTo(1e-3);
    assertThat(training.path("lr_decay_milestones").toString()).as("of the preset").isEqualTo("[50,75,89,94]");
    assertThat(config.path("model").path("num_hidden").asInt()).isEqualTo(16);
    assertThat(config.path("model").path("beta").asDouble()).isEqualTo(0.8);
    assertThat(config.path("model").path("input_height").asInt()).isEqualTo(8);
  }

  @Test
  void aPartOfARunsConfigurationWillDo() throws IOException {
    CommandLineRunner.succeed(
        "train --epochs 1 --num-hidden 16 --schedule cosine --threads 1 --out " + folder.resolve("a"));
    ObjectNode config = (ObjectNode) JSON.readTree(folder.resolve("a/config.json").toFile());
    config.remove("device");
    ((ObjectNode) config.get("training")).remove("seed");
    write(config.toString());
    CommandLineRunner.succeed("train --config " + file() + " --seed 5 --threads 1 --out " + folder.resolve("b"));
    JsonNode training = JSON.readTree(folder.resolve("b/config.json").toFile()).path("training");
    assertThat(training.path("schedule").asText()).isEqualTo("cosine");
    assertThat(training.path("seed").asInt()).isEqualTo(5);
  }

  @Test
  void theDataIsFoundWhereTheRunHadIt() throws IOException {
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    CommandLineRunner.succeed(
        "train --dataset image-folder --image-size 8 --model mlp --num-hidden 8 --epochs 1 --threads 1 --data-dir " + images
            + " --out " + folder.resolve("a"));
    CommandLineRunner.succeed("train --config " + folder.resolve("a/config.json") + " --out " + folder.resolve("b"));
    assertThat(folder.resolve("b/model.safetensors")).hasSameBinaryContentAs(folder.resolve("a/model.safetensors"));
  }

  @Test
  void weightsToStartFromMustBeThoseOfTheRun() throws IOException {
    String small = " --epochs 1 --num-layers 1 --num-hidden 16 --threads 1 --out ";
    CommandLineRunner.succeed("train" + small + folder.resolve("first"));
    CommandLineRunner.succeed("train --init " + folder.resolve("first") + small + folder.resolve("a"));
    String again = "train --config " + folder.resolve("a/config.json") + " --out " + folder.resolve("b");
    CommandLineRunner.succeed(again);
    assertThat(folder.resolve("b/model.safetensors")).hasSameBinaryContentAs(folder.resolve("a/model.safetensors"));
    CommandLineRunner.succeed("train --resume " + folder.resolve("first") + " --epochs 2");
    CommandLineRunner changed = CommandLineRunner.line(again.replaceAll("b$", "c"));
    assertThat(changed.exitCode()).isEqualTo(1);
    assertThat(changed.err()).contains("are not those with the sha256 of init");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
    "{\"learning_rate\": 1}                             | there is no setting 'learning_rate'",
    "{\"training\": {\"beta\": 0.5}}                    | there is no setting 'training.beta'",
    "{\"epochs\": \"3\"}                                | epochs must be a whole number, not \"3\"",
    "{\"epochs\": 2.5}                                  | epochs must be a whole number, not 2.5",
    "{\"lr\": true}                                     | lr must be a number, not true",
    "{\"bio\": 1}                                       | bio must be true or false, not 1",
    "{\"optim\": 3}                                     | optim must be a text in quotation marks, not 3",
    "{\"lr_decay_milestones\": [3, null]}               | lr_decay_milestones must be a list of whole numbers",
    "{\"training\": {\"lr\": -1}}                       | lr must be positive",
    "{\"model\": \"alexnet\"}                           | model: unknown network 'alexnet'",
    "{\"loss\": \"sim\", \"beta\": 0.5}                 | beta weighs the two parts of predsim",
    "{\"momentum\": 0.9}                                | momentum is a part of sgd",
    "{\"classes\": 3}                                   | classes is 3, but for Optical Recognition",
    "{\"lr\": 1, \"training\": {\"lr\": 2}}             | the setting 'lr' is given twice",
    "{\"epochs\": 3, \"epochs\": 4}                     | Duplicate field 'epochs'",
    "{\"precision\": \"f8\"}                            | precision: unknown value 'f8'",
    "{\"init\": {\"sha256\": \"0\"}}                    | init.file is missing",
    "[1]                                                | settings are written as an object",
    "{\"epochs\":                                       | this is not JSON",
  })
  void whatIsWrongIsToldWithFileAndKey(String content, String message) throws IOException {
    write(content);
    CommandLineRunner run = CommandLineRunner.run("train", "--config", file(), "--out", folder.resolve("a"));
    assertThat(run.exitCode()).as(run.err()).isIn(1, 2);
    assertThat(run.err()).contains("layerwise: " + file(), message).doesNotContain("\tat ", "internal error")
        .as("the file, named once").doesNotContain(file() + ": " + file());
    assertThat(folder.resolve("a")).doesNotExist();
  }

  @Test
  void aMissingFileAndAResumedRunAreRefused() throws IOException {
    CommandLineRunner missing = CommandLineRunner.run("train", "--config", folder.resolve("no.json"));
    assertThat(missing.exitCode()).isEqualTo(1);
    assertThat(missing.err()).contains("cannot read the settings in " + folder.resolve("no.json"));
    write("{}");
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", folder.resolve("a"), "--config", file());
    assertThat(resumed.exitCode()).isEqualTo(2);
    assertThat(resumed.err()).contains("--config is for new runs");
  }

  @Test
  void benchTakesNetworkAndImagesFromTheFile() throws IOException {
    write("{\"dataset\": \"mnist\", \"model\": \"mlp\", \"num_hidden\": 16, \"batch_size\": 4, \"loss\": \"pred\"}");
    String steps = " --steps 1 --warmup 1 --threads 1 --json";
    JsonNode result = CommandLineRunner.succeed("bench step --config " + file() + steps).lastEvent();
    assertThat(result.path("model").asText()).isEqualTo("mlp");
    assertThat(result.path("loss").asText()).isEqualTo("pred");
    assertThat(result.path("batch_size").asInt()).isEqualTo(4);
    double flops = result.path("gflop_per_image").asDouble();
    JsonNode smaller =
        CommandLineRunner.succeed("bench step --config " + file() + " --input 1x8x8 --batch-size 8" + steps).lastEvent();
    assertThat(smaller.path("batch_size").asInt()).isEqualTo(8);
    assertThat(smaller.path("gflop_per_image").asDouble()).isLessThan(flops);
    write("{\"weight\": 1}");
    assertThat(CommandLineRunner.line("bench ops --config " + file()).err()).contains("there is no setting 'weight'");
  }

  private Path file() {
    return folder.resolve("settings.json");
  }

  private void write(String content) throws IOException {
    Files.writeString(file(), content);
  }
}
