package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.api.Model;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code export}; that the file computes the same is tested where it is written. */
class ExportCommandTest {
  @TempDir private Path folder;

  @Test
  void namesTheOutputs() {
    Path run = folder.resolve("run");
    CommandLineRunner training =
        CommandLineRunner.run("train", "--num-hidden", 8, "--epochs", 1, "--threads", 2, "--out", run);
    assertThat(training.exitCode()).as(training.err()).isZero();
    Path onnx = folder.resolve("model.onnx");
    CommandLineRunner plain = CommandLineRunner.run("export", run, "--onnx", onnx);
    assertThat(plain.exitCode()).as(plain.err()).isZero();
    assertThat(plain.out()).contains("outputs: logits").doesNotContain("local");
    CommandLineRunner all = CommandLineRunner.run("export", run, "--onnx", onnx, "--local-classifiers", "--json");
    assertThat(all.lastEvent().get("outputs").toString())
        .isEqualTo("[\"logits\",\"layers.0.local_logits\",\"layers.1.local_logits\",\"layers.2.local_logits\"]");
    assertThat(all.lastEvent().get("opset").asInt()).isEqualTo(17);
    assertThat(onnx).isNotEmptyFile();
    CommandLineRunner cut =
        CommandLineRunner.run("export", run, "--onnx", onnx, "--layer", 2, "--local-classifiers", "--json");
    assertThat(cut.lastEvent().get("outputs").toString()).isEqualTo("[\"logits\",\"layers.0.local_logits\"]");
    Path own = folder.resolve("own.onnx");
    try (Model model = Model.open(run)) {
      assertThat(model.exportOnnx(own, "2", true)).containsExactly("logits", "layers.0.local_logits");
      assertThat(own).as("the library writes the same").hasSameBinaryContentAs(onnx);
      assertThat(model.exportOnnx(own)).containsExactly("logits");
      assertThat(CommandLineRunner.run("export", run, "--onnx", onnx).exitCode()).isZero();
      assertThat(own).hasSameBinaryContentAs(onnx);
      assertThatThrownBy(() -> model.exportOnnx(own, "4", false)).hasMessageContaining("the model has no layer '4'");
    }
    CommandLineRunner none = CommandLineRunner.run("export", run, "--onnx", onnx, "--layer", 4);
    assertThat(none.exitCode()).isEqualTo(2);
    assertThat(none.err()).contains("--layer: the model has no layer '4'; it has 1 layers.0, ");
  }

  @Test
  void whatCannotBeExportedIsSaid() {
    CommandLineRunner missing = CommandLineRunner.run("export", folder, "--onnx", folder.resolve("model.onnx"));
    assertThat(missing.exitCode()).isEqualTo(1);
    assertThat(missing.err()).contains("model.safetensors").doesNotContain("\tat ");
    assertThat(CommandLineRunner.run("export", folder).exitCode()).isEqualTo(2);
  }
}
