package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layerwise.LayerwiseException;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Two classes, for which everything can be computed by hand. */
class TemperatureScalingTest {
  /** Images with the logits (4, 0), or (0, 4) for every third, of which so many of each ten are right. */
  private static List<ImageLogits.Row> rows(int right) {
    return IntStream.range(0, 300)
        .mapToObj(
            i -> {
              int predicted = i % 3 == 0 ? 1 : 0;
              int label = i / 3 % 10 < right ? predicted : 1 - predicted;
              return new ImageLogits.Row(i, label, predicted, predicted == 0 ? new float[] {4, 0} : new float[] {0, 4});
            })
        .toList();
  }

  @Test
  void probabilitiesBecomeTheShareOfRightPredictions() {
    List<ImageLogits.Row> rows = rows(8);
    double temperature = TemperatureScaling.fit(rows);
    assertThat(temperature).isCloseTo(4 / Math.log(0.8 / 0.2), within(1e-9));
    double sure = 1 / (1 + Math.exp(-4));
    TemperatureScaling.Quality before = TemperatureScaling.measure(rows, 1);
    assertThat(before.negativeLogLikelihood())
        .isCloseTo(-0.8 * Math.log(sure) - 0.2 * Math.log(1 - sure), within(1e-12));
    assertThat(before.expectedCalibrationError()).isCloseTo(100 * (sure - 0.8), within(1e-9));
    TemperatureScaling.Quality after = TemperatureScaling.measure(rows, temperature);
    assertThat(after.negativeLogLikelihood()).isCloseTo(-0.8 * Math.log(0.8) - 0.2 * Math.log(0.2), within(1e-9));
    assertThat(after.expectedCalibrationError()).isCloseTo(0, within(1e-9));
  }

  @Test
  void differencesInOneBinCancelAndThoseInOthersDoNot() {
    float often = (float) Math.log(0.99 / 0.01); // the last bin
    float seldom = (float) Math.log(0.55 / 0.45); // another
    List<ImageLogits.Row> rows =
        List.of(
            new ImageLogits.Row(0, 0, 0, new float[] {often, 0}), new ImageLogits.Row(1, 1, 0, new float[] {often, 0}),
            new ImageLogits.Row(2, 0, 0, new float[] {seldom, 0}), new ImageLogits.Row(3, 0, 0, new float[] {seldom, 0}));
    assertThat(TemperatureScaling.measure(rows, 1).expectedCalibrationError())
        .isCloseTo(100 * (0.5 * (0.99 - 0.5) + 0.5 * (1 - 0.55)), within(1e-4));
  }

  @Test
  void aNetworkWithoutMistakesHasNoTemperature() {
    assertThatThrownBy(() -> TemperatureScaling.fit(rows(10)))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("the network makes no mistake on them");
    assertThatThrownBy(() -> TemperatureScaling.fit(rows(3))) // worse than chance
        .isInstanceOf(LayerwiseException.class)
        .hasMessage("no temperature from 0.01 to 100 fits the 300 images held out");
  }
}
