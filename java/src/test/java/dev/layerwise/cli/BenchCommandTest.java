package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code bench} says how long things took, and counts what they do. */
class BenchCommandTest {
  private static List<JsonNode> events(String options) {
    CommandLineRunner run = CommandLineRunner.run((Object[]) options.split(" "));
    assertThat(run.exitCode()).as(run.err()).isZero();
    return run.events();
  }

  @Test
  void aStep() {
    List<JsonNode> events =
        events(
            "bench step --model vgg6a --feat-mult 0.0625 --num-layers 0 --input 1x8x8 --classes 3 --batch-size 8"
                + " --steps 3 --threads 1 --precision f32 --json");
    assertThat(events).extracting(event -> event.get("event").asText()).containsExactly("step", "step", "step", "result");
    JsonNode result = events.get(3);
    double median = result.get("step_ms_median").asDouble();
    assertThat(median).isPositive().isGreaterThanOrEqualTo(result.get("step_ms_min").asDouble());
    assertThat(result.get("images_per_second").asDouble()).isCloseTo(8e3 / median, within(1e-6 * 8e3 / median));
    assertThat(result.get("peak_rss_bytes").asLong()).isGreaterThan(10_000_000);
    assertThat(result.get("activation_bytes").asLong()).isPositive();
    assertThat(result.get("parameter_bytes").asLong()).isPositive();
    assertThat(result.get("precision").asText()).isEqualTo("f32");
    // Two passes through each convolution and the output layer, three through similarity convolutions and classifiers;
    // maps of 8×8, 4×4, 2×2 and 1×1 positions, 8, 16, 32 and 32 channels, 3 classes.
    double encoders = 2 * 9 * (8 * 64 + 8 * 16 * 16 + 16 * 32 * 4 + 32 * 32);
    double similarities = 2 * 9 * (8 * 8 * 64 + 16 * 16 * 16 + 32 * 32 * 4 + 32 * 32);
    double classifiers = 2 * 3 * (8 * 64 + 16 * 16 + 32 * 4 + 32);
    double output = 2 * 3 * 32;
    double flops = 2 * (encoders + output) + 3 * (similarities + classifiers);
    assertThat(result.get("gflop_per_image").asDouble()).isCloseTo(flops * 1e-9, within(1e-15));
  }

  @Test
  void operations() {
    List<JsonNode> events =
        events(
            "bench ops --model mlp --num-layers 2 --num-hidden 16 --input 1x8x8 --classes 3 --batch-size 8 --steps 2"
                + " --device reference --json");
    assertThat(events.get(0).get("event").asText()).isEqualTo("peaks");
    assertThat(events.get(0).get("gflop_per_second").asDouble()).isPositive();
    List<JsonNode> operations = events.subList(1, events.size() - 1);
    assertThat(operations)
        .extracting(event -> event.get("operation").asText())
        .contains("load_batch", "convolution_forward", "similarity_loss", "encoder_gradient", "optimizer_step");
    assertThat(operations).allSatisfy(event -> assertThat(event.get("times_floor").asDouble()).isPositive());
    double sum = operations.stream().mapToDouble(event -> event.get("ms").asDouble()).sum();
    JsonNode result = events.get(events.size() - 1);
    assertThat(result.get("ms").asDouble()).isCloseTo(sum, within(1e-9 * sum));
  }

  @Test
  void whatCannotBeMeasured() {
    assertThat(CommandLineRunner.run("bench").exitCode()).isEqualTo(2);
    CommandLineRunner size = CommandLineRunner.run("bench", "step", "--input", "32x32");
    assertThat(size.exitCode()).isEqualTo(2);
    assertThat(size.err()).contains("--input takes channels, height and width, such as 3x32x32, not 32x32");
    CommandLineRunner empty = CommandLineRunner.run("bench", "step", "--input", "1x0x8");
    assertThat(empty.exitCode()).isEqualTo(2);
    assertThat(empty.err()).contains("not 1x0x8");
    CommandLineRunner single = CommandLineRunner.run("bench", "step", "--batch-size", 1);
    assertThat(single.exitCode()).isEqualTo(2);
    assertThat(single.err()).contains("--batch-size 1 leaves batch normalization nothing to normalize");
    CommandLineRunner steps = CommandLineRunner.run("bench", "ops", "--steps", "0");
    assertThat(steps.exitCode()).isEqualTo(2);
  }

  @Test
  void helpStatesTheDefaultsThatHoldHere() {
    for (String what : new String[] {"step", "ops"}) {
      String help = help("bench", what);
      assertThat(help)
          .doesNotContain("digits", "bundle")
          .contains("Default: vgg8b.", "Default: leakyrelu.", "Number of classes. Default: 100.")
          .containsPattern("Dropout probability .* Default: 0\\.");
    }
    assertThat(help("train"))
        .doesNotContain("bundle")
        .contains("Default: mlp for digits, else vgg8b.", "Default: leakyrelu for digits, else relu.");
  }

  /** On one line, however it was broken. */
  private static String help(Object... command) {
    Object[] words = Arrays.copyOf(command, command.length + 1);
    words[command.length] = "--help";
    return CommandLineRunner.run(words).out().replaceAll("\\s+", " ");
  }
}
