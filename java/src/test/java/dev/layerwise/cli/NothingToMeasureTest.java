package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.Json;
import dev.layerwise.TestImageFolder;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.SafeTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where there is nothing to measure, or no number comes out, a command fails and says the reason. */
class NothingToMeasureTest {
  @TempDir private Path folder;

  @Test
  void noUsableImageIsNoError() throws IOException {
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    assertThat(train("good", images).exitCode()).isZero();

    spoil(images.resolve("val"));
    CommandLineRunner evaluation = CommandLineRunner.run("evaluate", folder.resolve("good"), "--data-dir", images, "--json");
    assertThat(evaluation.exitCode()).isEqualTo(1);
    assertThat(evaluation.out()).isEmpty();
    assertThat(evaluation.err()).contains("none of the 48 test images can be used");
    CommandLineRunner untestable = train("untestable", images);
    assertThat(untestable.exitCode()).isEqualTo(1);
    assertThat(untestable.err()).contains("none of the 48 test images can be used").doesNotContain("diverged");

    spoil(images.resolve("train"));
    CommandLineRunner untrainable = train("untrainable", images);
    assertThat(untrainable.exitCode()).isEqualTo(1);
    assertThat(untrainable.err()).containsPattern("none of the \\d+ training images can be used").doesNotContain("diverged");
  }

  private static void spoil(Path part) throws IOException {
    List<Path> files;
    try (Stream<Path> found = Files.walk(part)) {
      files = found.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      Files.writeString(file, "no image");
    }
  }

  private CommandLineRunner train(String out, Path images) {
    return CommandLineRunner.run(
        "train", "--dataset", "image-folder", "--image-size", 16, "--model", "mlp", "--num-layers", 1, "--num-hidden", 8,
        "--batch-size", 16, "--threads", 1, "--epochs", 1, "--data-dir", images, "--out", folder.resolve(out), "--json");
  }

  @Test
  void weightsThatAreNoNumbersGiveNoResults() throws IOException {
    Path run = folder.resolve("run");
    assertThat(CommandLineRunner.run("train", "--epochs", 1, "--num-layers", 1, "--out", run).exitCode()).isZero();
    Path file = run.resolve("model.safetensors");
    SafeTensors model = SafeTensors.read(file);
    Map<String, HostTensor> tensors = new LinkedHashMap<>(model.tensors());
    HostTensor bias = tensors.get("layers.0.bn.bias");
    float[] values = bias.toFloats();
    values[3] = Float.NaN;
    tensors.put("layers.0.bn.bias", HostTensor.of(new long[] {values.length}, values));
    new SafeTensors(model.metadata(), tensors).write(file);

    Path image = DigitImages.write(folder.resolve("digits"), 3);
    Object[][] uses = {
      {"evaluate", run}, {"predict", run, image},
      {"embed", run, "--dataset", "digits", "--layer", 1, "--out", folder.resolve("x.npy")}};
    for (Object[] use : uses) {
      CommandLineRunner used = CommandLineRunner.run(use);
      assertThat(used.exitCode()).as(used.out()).isEqualTo(1);
      assertThat(used.out()).isEmpty();
      assertThat(used.err()).contains("NaN", "its weights are not usable").doesNotContain("internal error");
    }
    assertThat(folder.resolve("x.npy")).doesNotExist();
  }

  @Test
  void numbersInJsonAreNumbersOrNull() throws IOException {
    record Numbers(double loss, Double error, double fine) {}

    ObjectMapper json = Json.mapper();
    JsonNode written = json.readTree(json.writeValueAsString(new Numbers(Double.NaN, Double.POSITIVE_INFINITY, 0.5)));
    assertThat(written.toString()).isEqualTo("{\"loss\":null,\"error\":null,\"fine\":0.5}");
  }
}
