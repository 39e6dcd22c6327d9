package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.SyntheticFiles;
import dev.layerwise.model.Networks;
import dev.layerwise.recipe.Presets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine.Model.OptionSpec;

/** {@code presets} and {@code train --preset}. */
class PresetsCommandTest {
  @TempDir private Path folder;

  @Test
  void listsThePublishedNumbers() {
    CommandLineRunner run = CommandLineRunner.run("presets");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.out().lines()).hasSize(87);
    assertThat(run.out())
        .containsPattern("cifar100-vgg11b-3x-predsim +20\\.13 % +400")
        .containsPattern("vgg8b-bio-sim +– ");
  }

  @Test
  void listsEverythingAsJson() {
    List<JsonNode> events = CommandLineRunner.run("presets", "--json").events();
    assertThat(events).hasSize(86);
    JsonNode preset =
        events.stream()
            .filter(event -> event.get("name").asText().equals("fashion-vgg8b-2x-cutout14-predsim"))
            .findFirst()
            .orElseThrow();
    assertThat(preset.get("event").asText()).isEqualTo("preset");
    assertThat(preset.get("network").asText()).isEqualTo("vgg8b-2x-cutout14");
    assertThat(preset.get("published_error").asDouble()).isEqualTo(4.14);
    assertThat(preset.get("lr_decay_milestones")).hasSize(4);
    assertThat(preset.get("n_holes").asInt()).isEqualTo(1);
    assertThat(preset.get("length").asInt()).isEqualTo(14);
    assertThat(preset.get("beta").asDouble()).isEqualTo(0.99);
  }

  @Test
  void allOfThemCanBeTrained() {
    assertThat(Presets.all())
        .allSatisfy(
            preset -> {
              DataSetInfo data = DataSets.info(preset.dataset());
              assertThat(Networks.layers(preset.runConfig(data).model())).isNotEmpty();
            });
  }

  @Test
  void aPresetIsTrainedAsItSays() throws IOException {
    SyntheticFiles.writeMnist(folder.resolve("data"), 32, 16);
    JsonNode config = train("mnist-mlp-sim", "--epochs 1 --threads 1");
    assertThat(config.get("model").get("model").asText()).isEqualTo("mlp");
    assertThat(config.get("model").get("loss").asText()).isEqualTo("sim");
    assertThat(config.get("model").get("nonlin").asText()).isEqualTo("leakyrelu");
    assertThat(config.get("model").get("num_layers").asInt()).isEqualTo(3);
    assertThat(config.get("model").get("num_hidden").asInt()).isEqualTo(1024);
    assertThat(config.get("model").get("dropout").asDouble()).isEqualTo(0.1);
    assertThat(config.get("training").get("batch_size").asInt()).isEqualTo(128);
    assertThat(config.get("training").get("epochs").asInt()).isEqualTo(1);
    assertThat(config.get("training").get("crop_padding").asInt()).isEqualTo(2);
    assertThat(config.get("training").get("lr_decay_milestones")).hasSize(4);
  }

  @Test
  void optionsChangeWhatAPresetSays() throws IOException {
    SyntheticFiles.writeMnist(folder.resolve("data"), 32, 16);
    JsonNode config =
        train(
            "mnist-vgg8b-cutout14-predsim",
            "--epochs 1 --threads 1 --model mlp --num-hidden 16 --loss pred --nonlin relu --lr 0.01 --cutout"
                + " --n-holes 2 --batch-size 8 --classes-per-batch 4 --lr-decay-milestones 9 --seed 3");
    assertThat(config.get("model").get("model").asText()).isEqualTo("mlp");
    assertThat(config.get("model").get("num_hidden").asInt()).isEqualTo(16);
    assertThat(config.get("model").get("num_layers").asInt()).isEqualTo(1);
    assertThat(config.get("model").get("dim_in_decoder").asInt()).isEqualTo(1024);
    assertThat(config.get("model").get("loss").asText()).isEqualTo("pred");
    assertThat(config.get("model").get("nonlin").asText()).isEqualTo("relu");
    JsonNode training = config.get("training");
    assertThat(training.get("n_holes").asInt()).isEqualTo(2);
    assertThat(training.get("length").asInt()).isEqualTo(14);
    assertThat(training.get("lr").asDouble()).isEqualTo(0.01);
    assertThat(training.get("classes_per_batch").asInt()).isEqualTo(4);
    assertThat(training.get("seed").asInt()).isEqualTo(3);
    JsonNode global = train("mnist-mlp-predsim", "--backprop --epochs 1 --threads 1 --num-hidden 16 --num-layers 1");
    assertThat(global.get("model").get("backprop").asBoolean()).isTrue();
    assertThat(global.get("model").get("loss").isNull()).isTrue();
  }

  @Test
  void aRunOfAPresetResumesWithOrWithoutItsName() throws IOException {
    SyntheticFiles.writeMnist(folder.resolve("data"), 32, 16);
    train("mnist-mlp-pred", "--epochs 1 --threads 1 --seed 4 --num-hidden 16");
    Path run = folder.resolve("mnist-mlp-pred");
    Object[] again = {
      "train", "--resume", run, "--preset", "mnist-mlp-pred", "--num-hidden", 16, "--epochs", 2, "--data-dir",
      folder.resolve("data")
    };
    CommandLineRunner resumed = CommandLineRunner.run(again);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    CommandLineRunner plain =
        CommandLineRunner.run("train", "--resume", run, "--epochs", 3, "--data-dir", folder.resolve("data"));
    assertThat(plain.exitCode()).as(plain.err()).isZero();
    CommandLineRunner other =
        CommandLineRunner.run(
            "train", "--resume", run, "--preset", "mnist-mlp-pred", "--data-dir", folder.resolve("data"));
    assertThat(other.exitCode()).isEqualTo(2);
    assertThat(other.err()).contains("num_hidden from 16 to 1024");
  }

  @Test
  void theOptionCompletes() {
    OptionSpec option = Main.commandLine().getSubcommands().get("train").getCommandSpec().findOption("--preset");
    assertThat(option.completionCandidates())
        .hasSize(2 * 86)
        .contains("cifar100-vgg11b-3x-predsim", "cifar100-vgg11b-3x-predsim-fast");
  }

  /** Trains on the small data and gives the configuration that the run recorded. */
  private JsonNode train(String preset, String options) throws IOException {
    Path out = folder.resolve(preset);
    Stream<Object> fixed = Stream.of("train", "--preset", preset, "--data-dir", folder.resolve("data"), "--out", out);
    Stream<Object> more = Stream.of((Object[]) options.split(" "));
    CommandLineRunner run = CommandLineRunner.run(Stream.concat(fixed, more).toArray());
    assertThat(run.exitCode()).as(run.err()).isZero();
    return new ObjectMapper().readTree(Files.readAllBytes(out.resolve("config.json")));
  }
}
