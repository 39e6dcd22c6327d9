package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.NetworkDescriptions;
import dev.layerwise.safetensors.ElementType;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.Narrowed;
import dev.layerwise.safetensors.SafeTensors;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
    return CommandLineRunner.line("train --out " + folder.resolve(out) + OPTIONS + options);
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
    tensors.put("layers.1.bn.bias", HostTensor.of(new long[] {16}, new int[16]));
    Path other = folder.resolve("other.safetensors");
    new SafeTensors(Map.of(), tensors).write(other);
    CommandLineRunner run = train("refused", " --epochs 1 --init " + other);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err())
        .contains("missing: layers.0.encoder.weight, layer_out.bias;")
        .contains("not in the network: layers.7.encoder.weight;")
        .contains("layers.1.encoder.bias is F32 [3] where the network has F32 [16]")
        .contains("layers.1.bn.bias is I32 [16] where the network has F32 [16]")
        .contains("; --init-partial takes the weights that fit")
        .doesNotContain("\tat ");
    assertThat(folder.resolve("refused")).doesNotExist();
    assertThat(train("refused", " --init " + folder.resolve("none")).err()).contains("no such file or folder");
    assertThat(train("refused", " --init " + first.resolve("config.json")).err()).contains("not a safetensors file");
    assertThat(folder.resolve("refused")).doesNotExist();
  }

  @Test
  void whatFitsIsTakenAndTheRestListed() throws IOException {
    Map<String, HostTensor> tensors = new LinkedHashMap<>();
    model().tensors().forEach((name, tensor) -> tensors.put("module._orig_mod." + name, tensor));
    tensors.put("module._orig_mod.layer_out.weight", HostTensor.of(new long[] {3, 16}, new float[48]));
    tensors.remove("module._orig_mod.layer_out.bias");
    tensors.put("module._orig_mod.fc.bias", HostTensor.of(new long[] {3}, new float[3]));
    Path other = folder.resolve("other-classes.safetensors");
    new SafeTensors(Map.of(), tensors).write(other);
    CommandLineRunner run = train("partial", " --epochs 1 --lr 1e-30 --init-partial --init " + other);
    assertThat(run.exitCode()).as(run.err()).isZero();
    int needed = model().tensors().size();
    assertThat(run.err()).contains(
        "layerwise: " + (needed - 2) + " of the network's " + needed + " tensors come from " + other,
        "layerwise: not in the file, left as in a new network: layer_out.bias",
        "layerwise: of another shape or type in the file, left as in a new network: layer_out.weight is F32 [3, 16]",
        "layerwise: in the file, but not used: module._orig_mod.fc.bias");
    assertThat(run.out()).startsWith("{").doesNotContain("layerwise:");
    Map<String, HostTensor> after = SafeTensors.read(folder.resolve("partial/model.safetensors")).tensors();
    for (String name : new String[] {"layers.0.encoder.weight", "layers.1.decoder_y.weight", "layers.1.bn.bias"}) {
      assertThat(after.get(name).toFloats()).as(name).isEqualTo(model().tensors().get(name).toFloats());
    }
    for (float value : after.get("layer_out.weight").toFloats()) { // starts at zero, and 22 steps of 1e-30 move it
      assertThat(Math.abs(value) < 1e-28).isTrue();
    }
    assertThat(init("partial").get("partial").asBoolean()).isTrue();
    assertThat(init("partial").get("sha256").asText()).matches("[0-9a-f]{64}");
  }

  private static JsonNode init(String run) throws IOException {
    return new ObjectMapper().readTree(folder.resolve(run).resolve("config.json").toFile()).get("init");
  }

  @Test
  void aPartialStartIsResumedToTheSameBits() throws IOException {
    Map<String, HostTensor> tensors = new LinkedHashMap<>(model().tensors());
    tensors.remove("layers.0.encoder.weight");
    Path some = folder.resolve("some.safetensors");
    new SafeTensors(Map.of(), tensors).write(some);
    String options = " --init-partial --init " + some;
    assertThat(train("some-whole", " --epochs 3" + options).exitCode()).isZero();
    assertThat(train("some-parts", " --epochs 1" + options).exitCode()).isZero();
    Files.delete(some); // the checkpoint has the weights
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", folder.resolve("some-parts"), "--epochs", 3);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(Files.readAllBytes(folder.resolve("some-parts/model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("some-whole/model.safetensors")));
    assertThat(init("some-parts")).isEqualTo(init("some-whole"));
  }

  @Test
  void somethingMustFit() {
    Path none = folder.resolve("none-fits.safetensors");
    new SafeTensors(Map.of(), Map.of("fc.bias", HostTensor.of(new long[] {3}, new float[3]))).write(none);
    for (String options : new String[] {" --init ", " --init-partial --init "}) {
      CommandLineRunner run = train("refused", " --epochs 1" + options + none);
      assertThat(run.exitCode()).isEqualTo(1);
      assertThat(run.err()).contains("nothing in " + none + " fits the network").doesNotContain("--init-partial", "\tat ");
    }
    CommandLineRunner alone = train("refused", " --epochs 1 --init-partial");
    assertThat(alone.exitCode()).isEqualTo(2);
    assertThat(alone.err()).contains("--init-partial needs --init");
    assertThat(folder.resolve("refused")).doesNotExist();
  }

  @Test
  void weightsThatAreNotFiniteAreNoDivergence() {
    Map<String, HostTensor> tensors = new LinkedHashMap<>(model().tensors());
    float[] values = tensors.get("layers.1.encoder.weight").toFloats();
    values[5] = Float.NaN;
    tensors.put("layers.1.encoder.weight", HostTensor.of(new long[] {16, 16}, values));
    Path nan = folder.resolve("nan.safetensors");
    new SafeTensors(Map.of(), tensors).write(nan);
    CommandLineRunner run = train("refused", " --epochs 1 --init " + nan);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err())
        .contains("1 of the 256 values of layers.1.encoder.weight are NaN or infinite")
        .doesNotContain("diverged", "\tat ");
    assertThat(folder.resolve("refused")).doesNotExist();
  }

  @Test
  void theCheckpointOfAnUnfinishedRunIsTaken() throws IOException {
    CommandLineRunner stopped =
        train("stopped", " --epochs 100000 --time-limit 1s --checkpoint-every 3steps"); // in the middle of an epoch
    assertThat(stopped.lastEvent().get("event").asText()).isEqualTo("stopped");
    CommandLineRunner run = train("from-stopped", " --epochs 1 --lr 1e-30 --init " + folder.resolve("stopped"));
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(init("from-stopped").get("file").asText()).endsWith("checkpoint.safetensors");
    assertThat(SafeTensors.read(folder.resolve("from-stopped/model.safetensors")).tensors()
        .get("layers.0.encoder.weight").toFloats())
        .isEqualTo(SafeTensors.read(folder.resolve("stopped/checkpoint.safetensors")).tensors()
            .get("layers.0.encoder.weight").toFloats());
  }

  @Test
  void aPickleIsCalledByItsName() throws IOException {
    Path pickle = folder.resolve("net.pth");
    try (OutputStream file = Files.newOutputStream(pickle); ZipOutputStream zip = new ZipOutputStream(file)) {
      zip.putNextEntry(new ZipEntry("net/data.pkl"));
    }
    CommandLineRunner run = train("refused", " --epochs 1 --init " + pickle);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err())
        .contains(pickle + " is a PyTorch file, not a safetensors file; convert it in Python: import torch, ")
        .doesNotContain("\tat ");
    for (String command : new String[] {"evaluate", "inspect", "train --resume", "export --onnx x.onnx", "predict x.png"}) {
      String[] words = (command + " " + pickle).split(" ");
      if (command.startsWith("predict")) { // the model comes first
        words = new String[] {"predict", pickle.toString(), "x.png"};
      }
      CommandLineRunner other = CommandLineRunner.run((Object[]) words);
      assertThat(other.exitCode()).as(command).isEqualTo(1);
      assertThat(other.err())
          .contains(pickle + " is a PyTorch file, not a ", " of Layerwise; give a run's ")
          .doesNotContain("convert it", "\tat ");
    }
  }

  @Test
  void aModelMayBeHalved() {
    SafeTensors model = model();
    Map<String, HostTensor> tensors = new LinkedHashMap<>(model.tensors());
    tensors.replaceAll((name, tensor) -> Narrowed.from(tensor, ElementType.BF16));
    new SafeTensors(model.metadata(), tensors).write(folder.resolve("halved.safetensors"));
    tensors.replaceAll((name, tensor) -> tensor.inFloat32());
    new SafeTensors(model.metadata(), tensors).write(folder.resolve("widened.safetensors"));
    CommandLineRunner halved = CommandLineRunner.run("evaluate", folder.resolve("halved.safetensors"), "--json");
    assertThat(halved.exitCode()).as(halved.err()).isZero();
    JsonNode widened = CommandLineRunner.run("evaluate", folder.resolve("widened.safetensors"), "--json").lastEvent();
    assertThat(halved.lastEvent().get("test_loss")).isNotNull().isEqualTo(widened.get("test_loss"));
    assertThat(halved.lastEvent().get("confusion_matrix")).isEqualTo(widened.get("confusion_matrix"));
  }

  @Test
  void aResumedRunTakesNone() throws IOException {
    CommandLineRunner run = CommandLineRunner.run("train", "--resume", first, "--init", first);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("--init is for new runs");
    assertThat(Files.exists(first.resolve("model.safetensors"))).isTrue();
  }

  @Test
  void whiteningChangesTheFirstFiltersAlone() throws IOException {
    Path network = Files.writeString(folder.resolve("network.json"), NetworkDescriptions.RESIDUAL);
    String still = " --threads 2 --json --epochs 1 --lr 1e-30 --model " + network;
    for (String options : List.of("", " --whiten")) {
      String out = folder.resolve("whiten" + options.length()).toString();
      CommandLineRunner run =
          CommandLineRunner.line("train --out " + out + still + options);
      assertThat(run.exitCode()).as(run.err()).isZero();
    }
    Map<String, HostTensor> random = SafeTensors.read(folder.resolve("whiten0/model.safetensors")).tensors();
    SafeTensors.read(folder.resolve("whiten9/model.safetensors")).tensors().forEach((name, tensor) -> {
      if (name.endsWith("encoder.weight")) { // what begins with 0 follows even so small a rate
        boolean same = tensor.data().equals(random.get(name).data());
        assertThat(same).as(name).isEqualTo(!name.equals("stem.encoder.weight"));
      }
    });
    float[] filters = SafeTensors.read(folder.resolve("whiten9/model.safetensors")).tensors()
        .get("stem.encoder.weight").toFloats();
    for (int i = 0; i < 9; i++) { // 8 filters of 1×3×3: pairs of a filter and its negative
      assertThat(filters[9 + i]).isEqualTo(-filters[i]);
      assertThat(filters[63 + i]).isEqualTo(-filters[54 + i]);
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--model mlp | whitening is for networks whose first layer is a convolution of the images with a kernel larger than 1×1",
    "--model NETWORK --init FIRST | --whiten computes the first layer's weights from the training images",
  })
  void whatCannotBeWhitenedIsRefused(String options, String message) throws IOException {
    Path network = Files.writeString(folder.resolve("own.json"), NetworkDescriptions.RESIDUAL);
    String words = options.replace("NETWORK", network.toString()).replace("FIRST", first.toString());
    CommandLineRunner run = CommandLineRunner.line("train --whiten --out " + folder.resolve("refused") + " " + words);
    assertThat(run.exitCode()).as(run.err()).isNotZero();
    assertThat(run.err()).contains(message).doesNotContain("\tat ");
    assertThat(folder.resolve("refused")).doesNotExist();
  }
}
