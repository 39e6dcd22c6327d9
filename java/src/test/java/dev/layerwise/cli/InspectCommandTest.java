package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code inspect} counts what there is. */
class InspectCommandTest {
  @TempDir private Path folder;

  private Path train(String options) {
    Path run = folder.resolve("run");
    CommandLineRunner training =
        CommandLineRunner.line("train --epochs 1 --threads 2 --out " + run + " " + options);
    assertThat(training.exitCode()).as(training.err()).isZero();
    return run;
  }

  @Test
  void anMlp() {
    Path run = train("--num-layers 2 --num-hidden 16");
    List<JsonNode> events = CommandLineRunner.run("inspect", run, "--precision", "f32", "--json").events();
    assertThat(events).hasSize(4);
    JsonNode first = events.get(0);
    assertThat(first.get("number").asInt()).isEqualTo(1);
    assertThat(first.get("name").asText()).isEqualTo("layers.0");
    assertThat(first.get("output").toString()).isEqualTo("[16,1,1]");
    // Weights and biases of the linear layer, scale and shift of batch norm.
    assertThat(first.get("parameters").asLong()).isEqualTo(64 * 16 + 16 + 2 * 16);
    // The local classifier and the similarity loss's linear map.
    assertThat(first.get("local_parameters").asLong()).isEqualTo(16 * 10 + 10 + 16 * 16);
    assertThat(first.get("flops").asLong()).isEqualTo(2 * 64 * 16);
    assertThat(first.get("local_classifier_flops").asLong()).isEqualTo(2 * 16 * 10);
    assertThat(events.get(2).has("number")).isFalse();
    JsonNode model = events.get(3);
    assertThat(model.get("event").asText()).isEqualTo("model");
    assertThat(model.get("parameters").asLong()).isEqualTo(1072 + (16 * 16 + 16 + 32) + (160 + 10));
    assertThat(model.get("flops").asLong()).isEqualTo(2 * (64 * 16 + 16 * 16 + 160));
    // Each parameter and running statistic once, of 4 bytes, and room for the metrics.
    long numbers = model.get("parameters").asLong() + model.get("local_parameters").asLong() + 2 * 2 * 16;
    assertThat(model.get("weight_bytes").asLong()).isGreaterThanOrEqualTo(4 * numbers);
    assertThat(model.get("class_names")).hasSize(10);
    assertThat(CommandLineRunner.run("inspect", run).out())
        .contains("mlp, predsim, trained on digits: 1×8×8 images, 10 classes")
        .containsPattern(" 1  layers\\.0 +linear +16×1×1 +1,072 +426 +2,048  320 FLOPs");
  }

  @Test
  void aPooledConvolution() {
    Path run = train("--model vgg6a --feat-mult 0.0625 --num-hidden 16 --loss pred");
    List<JsonNode> events = CommandLineRunner.run("inspect", run, "--precision", "f32", "--json").events();
    JsonNode first = events.get(0);
    // 8 channels on 8×8 positions, halved by the pooling behind them.
    assertThat(first.get("output").toString()).isEqualTo("[8,4,4]");
    assertThat(first.get("flops").asLong()).isEqualTo(2 * 9 * 8 * 64);
    assertThat(first.get("local_classifier_flops").asLong()).isEqualTo(2 * 8 * 64 * 10);
    JsonNode small = events.get(events.size() - 1);
    JsonNode large = CommandLineRunner.run("inspect", run, "--precision", "f32", "--json", "--batch-size", 64).lastEvent();
    // At least the first block's input and its maps before pooling, as floats, for each image.
    assertThat(large.get("activation_bytes").asLong())
        .isGreaterThan(64 * 4 * (64 + 8 * 64))
        .isGreaterThan(small.get("activation_bytes").asLong());
  }
}
