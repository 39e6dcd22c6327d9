package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.SafeTensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models and checkpoints that are not whole: one sentence that names the file, and nothing else. */
class DamagedFilesTest {
  @TempDir private static Path folder;
  private static Path run;

  @BeforeAll
  static void train() {
    run = folder.resolve("run");
    assertThat(CommandLineRunner.run("train", "--epochs", 1, "--num-hidden", 16, "--out", run).exitCode()).isZero();
  }

  @Test
  void aMissingModel() {
    refused(folder.resolve("none.safetensors"), "none.safetensors");
  }

  @Test
  void aTruncatedModel() throws IOException {
    byte[] whole = Files.readAllBytes(run.resolve("model.safetensors"));
    refused(write("cut.safetensors", Arrays.copyOf(whole, whole.length / 2)), "cut.safetensors");
    refused(write("cut-header.safetensors", Arrays.copyOf(whole, 100)), "cut-header.safetensors");
    refused(write("empty.safetensors", new byte[0]), "empty.safetensors");
  }

  @Test
  void anAbsurdHeaderLength() throws IOException {
    byte[] bytes = Files.readAllBytes(run.resolve("model.safetensors"));
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, Long.MAX_VALUE);
    refused(write("absurd.safetensors", bytes), "absurd.safetensors");
  }

  @Test
  void aWrongShape() throws IOException {
    SafeTensors model = SafeTensors.read(run.resolve("model.safetensors"));
    Map<String, HostTensor> tensors = new LinkedHashMap<>(model.tensors());
    tensors.put("layers.0.encoder.bias", HostTensor.of(new long[] {3}, new float[3]));
    new SafeTensors(model.metadata(), tensors).write(folder.resolve("shape.safetensors"));
    refused(folder.resolve("shape.safetensors"), "'layers.0.encoder.bias' has shape [3], but the network needs [16]");
    tensors.remove("layers.0.encoder.bias");
    new SafeTensors(model.metadata(), tensors).write(folder.resolve("missing.safetensors"));
    refused(folder.resolve("missing.safetensors"), "no tensor 'layers.0.encoder.bias'");
  }

  @Test
  void aFileOfAnotherKind() throws IOException {
    refused(run.resolve("checkpoint.safetensors"), "is not a model of Layerwise");
    refused(run.resolve("config.json"), "config.json");
    SafeTensors model = SafeTensors.read(run.resolve("model.safetensors"));
    Map<String, String> metadata = new LinkedHashMap<>(model.metadata());
    metadata.put("model", "{\"model\": \"mlp\", \"feat_mult\": \"wide\"}");
    new SafeTensors(metadata, model.tensors()).write(folder.resolve("metadata.safetensors"));
    refused(folder.resolve("metadata.safetensors"), "description in the metadata cannot be read");
    for (String change : List.of("\"leakyrelu\" \"tanh\"", "\"predsim\" \"cosine\"", "\"batch_norm\":true, ", "\"nonlin\":\"leakyrelu\", ")) {
      String[] fromTo = change.split(" ", -1);
      String changed = model.metadata().get("model").replace(fromTo[0], fromTo[1]);
      assertThat(changed).isNotEqualTo(model.metadata().get("model"));
      metadata.put("model", changed);
      new SafeTensors(metadata, model.tensors()).write(folder.resolve("changed.safetensors"));
      refused(folder.resolve("changed.safetensors"), "description in the metadata cannot be read");
    }
    metadata.put("model", "null");
    new SafeTensors(metadata, model.tensors()).write(folder.resolve("null.safetensors"));
    refused(folder.resolve("null.safetensors"), "description in the metadata cannot be read");
    metadata.put("model", "{\"model\": \"mlp\"}");
    new SafeTensors(metadata, model.tensors()).write(folder.resolve("incomplete.safetensors"));
    refused(folder.resolve("incomplete.safetensors"), "incomplete.safetensors");
  }

  @Test
  void aDescriptionThatIsLargerThanTheWeights() throws IOException {
    for (String name : List.of("model", "checkpoint")) {
      SafeTensors file = SafeTensors.read(run.resolve(name + ".safetensors"));
      String key = name.equals("model") ? "model" : "config";
      for (String[] fromTo : new String[][] {
        {"\"num_hidden\":16", "\"num_hidden\":20000"}, {"\"num_layers\":3", "\"num_layers\":9999999"}}) {
        Map<String, String> metadata = new LinkedHashMap<>(file.metadata());
        metadata.put(key, metadata.get(key).replace(fromTo[0], fromTo[1]));
        assertThat(metadata).isNotEqualTo(file.metadata());
        Path large = folder.resolve("large-" + name + ".safetensors");
        new SafeTensors(metadata, file.tensors()).write(large);
        CommandLineRunner result =
            name.equals("model")
                ? CommandLineRunner.run("evaluate", large)
                : CommandLineRunner.run("train", "--resume", large, "--out", folder.resolve("large"));
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.err())
            .containsPattern("the network that the file describes needs at least 1280000|num_layers must be in 0 … 1000")
            .doesNotContain("\tat ");
      }
    }
  }

  @Test
  void aDamagedCheckpointIsNotResumed() throws IOException {
    byte[] whole = Files.readAllBytes(run.resolve("checkpoint.safetensors"));
    Path cut = write("checkpoint-cut.safetensors", Arrays.copyOf(whole, whole.length - 1));
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", cut, "--out", folder.resolve("resumed"));
    assertThat(resumed.exitCode()).isEqualTo(1);
    assertThat(resumed.err()).contains("checkpoint-cut.safetensors").doesNotContain("\tat ");
    assertThat(folder.resolve("resumed")).doesNotExist();

    SafeTensors checkpoint = SafeTensors.read(run.resolve("checkpoint.safetensors"));
    for (String names : new String[] {"[\"0\", null]", "{}", "3", ""}) {
      Map<String, String> metadata = new LinkedHashMap<>(checkpoint.metadata());
      assertThat(metadata.put("class_names", names)).startsWith("[\"0\",\"1\"");
      Path changed = folder.resolve("checkpoint-names.safetensors");
      new SafeTensors(metadata, checkpoint.tensors()).write(changed);
      resumed = CommandLineRunner.run("train", "--resume", changed, "--out", folder.resolve("resumed"));
      assertThat(resumed.exitCode()).as(names).isEqualTo(1);
      assertThat(resumed.err()).contains("checkpoint-names.safetensors: ", "class", "name")
          .doesNotContain("\tat ").doesNotContain("internal error");
    }
  }

  @Test
  void aCheckpointWithADamagedRecordOfTheImages() {
    SafeTensors checkpoint = SafeTensors.read(run.resolve("checkpoint.safetensors"));
    for (String images : new String[] {
      "null", "{}", "{\"train\":{\"count\":1,\"sha256\":null},\"test\":{\"count\":1,\"sha256\":\"\"}}",
      "{\"train\":{\"sha256\":\"\"},\"test\":{\"count\":1,\"sha256\":\"\"}}", "[", ""}) {
      Map<String, String> metadata = new LinkedHashMap<>(checkpoint.metadata());
      metadata.put("images", images);
      Path changed = folder.resolve("checkpoint-images.safetensors");
      new SafeTensors(metadata, checkpoint.tensors()).write(changed);
      CommandLineRunner resumed =
          CommandLineRunner.run("train", "--resume", changed, "--out", folder.resolve("resumed"));
      assertThat(resumed.exitCode()).as(images).isEqualTo(1);
      assertThat(resumed.err()).contains("checkpoint-images.safetensors: what is said of the images in the metadata")
          .doesNotContain("\tat ").doesNotContain("internal error");
    }
  }

  @Test
  void aModelOfOtherImages() {
    CommandLineRunner evaluation =
        CommandLineRunner.run("evaluate", run, "--dataset", "mnist", "--data-dir", folder.resolve("no-data"));
    assertThat(evaluation.exitCode()).isEqualTo(1);
    assertThat(evaluation.err()).contains("no-data");
  }

  private static Path write(String name, byte[] bytes) throws IOException {
    return Files.write(folder.resolve(name), bytes);
  }

  private static void refused(Path model, String part) {
    CommandLineRunner evaluation = CommandLineRunner.run("evaluate", model);
    assertThat(evaluation.exitCode()).isEqualTo(1);
    assertThat(evaluation.out()).isEmpty();
    assertThat(evaluation.err()).contains(part).doesNotContain("\tat ").doesNotContain("internal error");
  }
}
