package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.NetworkDescriptions;
import dev.layerwise.safetensors.SafeTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks that users describe, and the published residual ones, from the command line. */
class OwnNetworkTest {
  @TempDir private Path folder;

  @BeforeEach
  void describe() throws IOException {
    Files.writeString(folder.resolve("residual.json"), NetworkDescriptions.RESIDUAL);
    Files.writeString(folder.resolve("preactivation.json"), NetworkDescriptions.PREACTIVATION);
  }

  private CommandLineRunner train(String model, String out, String options) {
    Stream<Object> fixed = Stream.of("train", "--model", model, "--out", folder.resolve(out), "--threads", 2, "--json");
    Stream<Object> more = options.isEmpty() ? Stream.of() : Stream.of((Object[]) options.split(" "));
    return CommandLineRunner.run(Stream.concat(fixed, more).toArray());
  }

  private String file(String name) {
    return folder.resolve(name).toString();
  }

  @ParameterizedTest
  @ValueSource(strings = {"--loss pred", "--loss sim", "--loss predsim", "--backprop", "--loss pred --no-detach",
    "--loss predsim --no-detach", "--alpha 0.3 --loss-unsup sim", "--bio --target-proj-size 16", "--device reference",
    "--feat-mult 0.5 --loss pred --optim sgd --momentum 0.9 --lr 0.05"})
  void bothKindsOfBlocksLearnInEveryWay(String options) {
    for (String kind : new String[] {"residual", "preactivation"}) {
      CommandLineRunner run = train(file(kind + ".json"), kind, "--epochs 2 " + options);
      assertThat(run.exitCode()).as(run.err()).isZero();
      JsonNode last = run.events().get(1);
      // Ten classes: chance is 90 %.
      assertThat(last.get("train_error").asDouble()).as(kind).isLessThan(75);
      assertThat(last.get("blocks")).hasSize(5);
      assertThat(last.get("blocks").get(4).get("name").asText()).isEqualTo("two.conv2");
      CommandLineRunner evaluation = CommandLineRunner.run("evaluate", folder.resolve(kind), "--json");
      assertThat(evaluation.exitCode()).as(evaluation.err()).isZero();
      if (!options.contains("reference")) {
        assertThat(evaluation.lastEvent().get("test_error")).isEqualTo(run.lastEvent().get("test_error"));
      }
      assertThat(evaluation.lastEvent().get("layers")).hasSize(5);
    }
  }

  @Test
  void theRunKeepsTheDescription() throws IOException {
    for (String kind : new String[] {"residual", "preactivation"}) {
      String model = file(kind + ".json");
      assertThat(train(model, "whole", "--epochs 3").exitCode()).isZero();
      assertThat(train(model, "part", "--epochs 1").exitCode()).isZero();
      Files.delete(Path.of(model));
      CommandLineRunner resumed =
          CommandLineRunner.run("train", "--resume", folder.resolve("part"), "--epochs", 3, "--json");
      assertThat(resumed.exitCode()).as(resumed.err()).isZero();
      SafeTensors whole = SafeTensors.read(folder.resolve("whole/model.safetensors"));
      SafeTensors part = SafeTensors.read(folder.resolve("part/model.safetensors"));
      assertThat(part.tensors()).usingRecursiveComparison().isEqualTo(whole.tensors());
      assertThat(part.tensors()).containsKeys("stem.encoder.weight", "two.side.0.weight", "classes.bias");
      assertThat(whole.metadata().get("network")).contains("\"shortcut\":\"two.side\"");
      JsonNode config = new ObjectMapper().readTree(folder.resolve("whole/config.json").toFile());
      assertThat(config.get("model").get("network").get("blocks")).hasSize(8);
      assertThat(CommandLineRunner.run("evaluate", folder.resolve("whole")).exitCode()).isZero();

      Files.writeString(Path.of(model), NetworkDescriptions.RESIDUAL.replace("\"channels\": 8", "\"channels\": 9"));
      CommandLineRunner changed = train(model, "part", "--epochs 4 --resume");
      assertThat(changed.exitCode()).isEqualTo(2);
      assertThat(changed.err()).contains("the network's blocks");
      deleteRuns();
    }
  }

  private void deleteRuns() throws IOException {
    for (String run : new String[] {"whole", "part"}) {
      try (Stream<Path> files = Files.list(folder.resolve(run))) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
    }
  }

  @Test
  void reconstructionSparesWhatItCannotRebuild() throws IOException {
    Files.writeString(folder.resolve("even.json"), NetworkDescriptions.RESIDUAL.replace(", \"stride\": 2", ""));
    CommandLineRunner run = train(file("even.json"), "even", "--epochs 2 --alpha 0.3 --loss-unsup recon");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(SafeTensors.read(folder.resolve("even/model.safetensors")).tensors().keySet())
        .contains("one.conv1.decoder_x.weight", "two.conv2.decoder_x.weight")
        .doesNotContain("stem.decoder_x.weight");
  }

  @Test
  void theLastNormTrainsScaleAndShiftUnderBackpropagationOnly() {
    String model = file("preactivation.json");
    assertThat(train(model, "local", "--epochs 1").exitCode()).isZero();
    assertThat(train(model, "global", "--epochs 1 --backprop").exitCode()).isZero();
    SafeTensors local = SafeTensors.read(folder.resolve("local/model.safetensors"));
    SafeTensors global = SafeTensors.read(folder.resolve("global/model.safetensors"));
    assertThat(local.tensors().get("top.running_mean").toFloats()).doesNotContain(0f);
    if (local.tensors().containsKey("top.weight")) {
      assertThat(local.tensors().get("top.weight").toFloats()).containsOnly(1f);
    }
    assertThat(global.tensors().get("top.weight").toFloats()).doesNotContain(1f);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "resnet18     | --feat-mult 0.0625                             | pool: an average over 4×4 positions does not fit",
    "wresnet10-8  | --feat-mult 2                                  | --feat-mult does not go with wresnet10-8",
    "wresnet10-8  | --pre-act                                      | --pre-act chooses the blocks of a ResNet",
    "vgg8b        | --pre-act                                      | it does not go with vgg8b",
    "resnet18     | --num-layers 2                                 | resnet18 has none of those",
    "resnet34     | --loss-unsup recon --alpha 0.5 --dataset mnist | layer2.0.conv1: the reconstruction loss",
    "wresnet10-8  |                                                | bn1: an average over 8×8 positions does not fit",
    "nothing.json |                                                | nothing.json (no such file or folder)",
    "wide         |                                                | --model: unknown network 'wide'; give a .json file",
  })
  void whatDoesNotGoTogetherIsSaid(String model, String options, String message) {
    CommandLineRunner run = train(model, "run", options == null ? "" : options);
    assertThat(run.exitCode()).isPositive();
    assertThat(run.err()).contains(message).doesNotContain("\tat ").doesNotContain("internal error");
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @Test
  void networksAreShown() throws IOException {
    assertThat(CommandLineRunner.run("networks").out())
        .contains("mlp", "vgg8b", "resnet152", "wresnet16-8-adapted")
        .containsPattern("resnet18 +\\d+ +11,173,962 +1,110\\.8  He et al\\. 2016"); // as PyTorch counts them
    CommandLineRunner shown = CommandLineRunner.run("networks", "--model", "resnet18", "--pre-act");
    assertThat(shown.out()).containsPattern("layer4\\.0\\.conv2 +preactivation +layer4\\.0\\.conv1 +512×4×4 +\\S+ +\\S+ +layer4\\.0\\.shortcut");
    CommandLineRunner description =
        CommandLineRunner.run("networks", "--model", "vgg6a", "--feat-mult", 0.0625, "--num-hidden", 16, "--description");
    Files.writeString(folder.resolve("vgg.json"), description.out());
    CommandLineRunner own = CommandLineRunner.run("networks", "--model", folder.resolve("vgg.json"), "--json");
    assertThat(own.exitCode()).as(own.err()).isZero();
    assertThat(own.lastEvent().get("name").asText()).isEqualTo("classifier.layer_out");
    assertThat(own.events().get(0).get("output").toString()).isEqualTo("[8,16,16]");
    assertThat(train(file("vgg.json"), "own", "--epochs 1").exitCode()).isZero();
    assertThat(
            train("vgg6a", "published", "--epochs 1 --feat-mult 0.0625 --num-layers 1 --num-hidden 16").exitCode())
        .isZero();
    assertThat(SafeTensors.read(folder.resolve("own/model.safetensors")).tensors())
        .usingRecursiveComparison()
        .isEqualTo(SafeTensors.read(folder.resolve("published/model.safetensors")).tensors());
  }

  @Test
  void aDescriptionInOneLine() throws IOException {
    CommandLineRunner shown = CommandLineRunner.run("networks", "--model", "vgg6a", "--description", "--json");
    assertThat(shown.out().lines()).hasSize(1);
    assertThat(shown.lastEvent().get("event").asText()).isEqualTo("description");
    Files.writeString(folder.resolve("line.json"), shown.lastEvent().get("network").toString());
    String own = CommandLineRunner.run("networks", "--model", folder.resolve("line.json")).out();
    String published = CommandLineRunner.run("networks", "--model", "vgg6a").out();
    assertThat(own).endsWith(" MFLOP an image" + System.lineSeparator());
    assertThat(published).endsWith(" MFLOP an image; Nøkland & Eidnes 2019" + System.lineSeparator());
    assertThat(own.substring(0, own.lastIndexOf(':')).replaceAll("\\n\\n.*", ""))
        .isEqualTo(published.substring(0, published.lastIndexOf(':')).replaceAll("\\n\\n.*", ""));
  }

  @ParameterizedTest
  @ValueSource(strings = {"--num-layers 2", "--num-hidden 8", "--feat-mult 2", "--pre-act"})
  void whatIsAboutOneNetworkNeedsIt(String options) {
    CommandLineRunner run = CommandLineRunner.line("networks " + options);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("--num-hidden need --model");
    assertThat(run.out()).isEmpty();
  }
}
