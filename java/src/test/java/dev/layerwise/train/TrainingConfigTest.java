package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingConfigTest {
  @ParameterizedTest
  @CsvSource({"1, 0.4", "15, 0.4", "16, 0.1", "22, 0.1", "23, 0.025", "30, 0.025"})
  void theRateFallsBehindEachMilestone(int epoch, double expected) {
    TrainingConfig config =
        new TrainingConfig("digits", 30, 64, 0.4, List.of(15, 22), 0.25, 0, false, 0, 0, 1, "cpu", 1);
    assertThat(config.learningRate(epoch)).isEqualTo(expected);
  }
}
