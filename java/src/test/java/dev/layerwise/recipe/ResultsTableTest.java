package dev.layerwise.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import org.junit.jupiter.api.Test;

class ResultsTableTest {
  private static final Measurement THREE =
      new Measurement(
          "mnist-mlp-sim", 0.8, List.of(1L, 2L, 3L), List.of(0.7, 0.8, 1.2), List.of(1800.0, 1900.0, 2000.0), 100);
  private static final Measurement ONE =
      new Measurement("x-bio-pred", null, List.of(1L), List.of(12.3456), List.of(1.04), 1);

  @Test
  void meanAndDeviation() {
    assertThat(THREE.mean()).isCloseTo(0.9, within(1e-12));
    // sqrt((0.04 + 0.01 + 0.09) / 2)
    assertThat(THREE.standardDeviation()).isCloseTo(Math.sqrt(0.07), within(1e-12));
    assertThat(THREE.seconds()).isEqualTo(5700);
    assertThat(ONE.standardDeviation()).isNull();
  }

  @Test
  void rendersForTerminalAndMarkdown() {
    ResultsTable table = new ResultsTable("MNIST, mlp", "1.0", "cpu", "bf16", 2, null, "avx2", 1, List.of(THREE, ONE));
    assertThat(table.toText().lines())
        .containsSequence(
            "MNIST, mlp",
            "recipe         test error %  published %  seeds  epochs  time",
            "mnist-mlp-sim  0.90 ± 0.26   0.80         3      100     1 h 35 min",
            "x-bio-pred     12.35         –            1      1       1.0 s");
    assertThat(table.toMarkdown())
        .startsWith("## MNIST, mlp\n\n| recipe | test error % | published % | seeds | epochs | time |\n| --- | --- |")
        .contains("\n| mnist-mlp-sim | 0.90 ± 0.26 | 0.80 | 3 | 100 | 1 h 35 min |\n")
        .contains("cpu in bf16, threads: 2, processor: avx2.")
        .doesNotContain("Epochs times");
    ResultsTable tenth = new ResultsTable("t", "1.0", "cpu", "bf16", 2, null, "avx2", 0.1, List.of(ONE));
    assertThat(tenth.toMarkdown()).contains("Epochs times 0.1");
  }

  @Test
  void isWholeAsJson() {
    ResultsTable table = new ResultsTable("t", "1", "cpu", "bf16", 2, null, "", 1, List.of(THREE));
    JsonNode json = new ObjectMapper().valueToTree(table);
    assertThat(json.get("precision").asText()).isEqualTo("bf16");
    JsonNode row = json.get("rows").get(0);
    assertThat(row.get("preset").asText()).isEqualTo("mnist-mlp-sim");
    assertThat(row.get("mean").asDouble()).isCloseTo(0.9, within(1e-12));
    assertThat(row.get("standard_deviation").asDouble()).isPositive();
    assertThat(row.get("published_error").asDouble()).isEqualTo(0.8);
    assertThat(row.get("seeds")).hasSize(3);
    assertThat(row.get("epochs").asInt()).isEqualTo(100);
    assertThat(row.get("seconds").asDouble()).isEqualTo(5700);
  }
}
