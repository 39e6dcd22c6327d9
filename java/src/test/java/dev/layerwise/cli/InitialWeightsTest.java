package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.checkpoint.HostTensor;
import dev.layerwise.checkpoint.SafeTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code train --init}: a run that starts from weights in a file. */
class InitialWeightsTest {
  private static final String OPTIONS = " --num-hidden 16 --num-layers 2 --threads 2 --json";

  @TempDir private static Path folder;
  private static Path first;

  @BeforeAll
  static void train() {
    first = folder.resolve("first");
    assertThat(train("first", " --epochs 2").exitCode()).isZero();
  }

  private static CommandLineRunner train(String out, String options) {
    return CommandLineRunner.run((Object[]) ("train --out " + folder.resolve(out) + OPTIONS + options).split(" "));
  }

  private static SafeTensors model() {
    return SafeTensors.read(first.resolve("model.safetensors"));
  }

  @Test
  void withAVanishingLearningRateTheWeightsStay() throws IOException {
    CommandLineRunner run = train("still", " --epochs 1 --lr 1e-30 --init " + first);
    assertThat(run.exitCode()).as(run.err()).isZero();
    Map<String, HostTensor> before = model().tensors();
    SafeTensors.read(folder.resolve("still/model.safetensors")).tensors().forEach((name, tensor) -> {
      if (!name.contains("running_")) { // statistics follow the batches whatever the rate
        assertThat(tensor.toFloats()).as(name).isEqualTo(before.get(name).toFloats());
      }
    });
    JsonNode init = new ObjectMapper().readTree(folder.resolve("still/config.json").toFile()).get("init");
    assertThat(init.get("file").asText()).endsWith("model.safetensors");
    assertThat(init.get("sha256").asText()).matches("[0-9a-f]{64}");
    // The checkpoint that the run starts from has fresh optimizers.
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", folder.resolve("still"), "--epochs", 2);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
  }

  @Test
  void aBareStateDictIsTaken() {
    Map<String, HostTensor> tensors = new LinkedHashMap<>(model().tensors());
    tensors.put("layers.0.bn.num_batches_tracked", HostTensor.of(new long[0], new long[] {46}));
    Path bare = folder.resolve("bare.safetensors");
    new SafeTensors(Map.of(), tensors).write(bare);
    assertThat(train("from-bare", " --epochs 1 --init " + bare).exitCode()).isZero();
    assertThat(train("from-model", " --epochs 1 --init " + first.resolve("model.safetensors")).exitCode()).isZero();
    assertThat(SafeTensors.read(folder.resolve("from-bare/model.safetensors")).tensors())
        .usingRecursiveComparison()
        .isEqualTo(SafeTensors.read(folder.resolve("from-model/model.safetensors")).tensors());
  }

  @Test
  void whatDoesNotFitIsListed() {
    Map<String, HostTensor> tensors = new LinkedHashMap<>(model().tensors());
    tensors.remove("layers.0.encoder.weight");
    tensors.remove("layer_out.bias");
    tensors.put("layers.7.encoder.weight", HostTensor.of(new long[] {1}, new float[1]));
    tensors.put("layers.1.encoder.bias", HostTensor.of(new long[] {3}, new float[3]));
    tensors.put("layers.1.bn.bias", HostTensor.of(new long[] {16}, new double[16]));
    Path other = folder.resolve("other.safetensors");
    new SafeTensors(Map.of(), tensors).write(other);
    CommandLineRunner run = train("refused", " --epochs 1 --init " + other);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err())
        .contains("missing: layers.0.encoder.weight, layer_out.bias;")
        .contains("not in the network: layers.7.encoder.weight;")
        .contains("layers.1.encoder.bias is F32 [3] where the network has F32 [16]")
        .contains("layers.1.bn.bias is F64 [16] where the network has F32 [16]")
        .doesNotContain("\tat ");
    assertThat(folder.resolve("refused")).doesNotExist();
    assertThat(train("refused", " --init " + folder.resolve("none")).err()).contains("no such file or folder");
    assertThat(train("refused", " --init " + first.resolve("config.json")).err()).contains("not a safetensors file");
    assertThat(folder.resolve("refused")).doesNotExist();
  }

  @Test
  void aResumedRunTakesNone() throws IOException {
    CommandLineRunner run = CommandLineRunner.run("train", "--resume", first, "--init", first);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("--init is for new runs");
    assertThat(Files.exists(first.resolve("model.safetensors"))).isTrue();
  }
}
