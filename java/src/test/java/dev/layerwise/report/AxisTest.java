package dev.layerwise.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class AxisTest {
  @Test
  void linearAxesBeginAndEndAtTicks() {
    Axis axis = Axis.covering(new double[] {3.2, 17, Double.NaN, 9}, true);
    assertThat(labels(axis)).containsExactly("0", "5", "10", "15", "20");
    assertThat(axis.at(0)).isZero();
    assertThat(axis.at(20)).isEqualTo(1);
    assertThat(labels(Axis.covering(new double[] {0.31, 0.38}, false)))
        .containsExactly("0.3", "0.32", "0.34", "0.36", "0.38");
  }

  @Test
  void wideRangesAreLogarithmic() {
    Axis axis = Axis.covering(new double[] {0.1, 80}, true);
    assertThat(axis.logarithmic()).isTrue();
    assertThat(labels(axis)).containsExactly("0.1", "1", "10");
    assertThat(axis.at(1) - axis.at(0.1)).isCloseTo(axis.at(10) - axis.at(1), within(1e-12));
    assertThat(Axis.covering(new double[] {0.1, 1.9}, true).logarithmic()).isFalse();
    Axis withZero = Axis.covering(new double[] {0, 0.1, 80}, true);
    assertThat(labels(withZero)).containsExactly("0", "0.1", "1", "10");
    assertThat(withZero.at(0)).isZero();
    assertThat(withZero.at(0.1)).isPositive();
  }

  @Test
  void singleValuesHaveAnAxis() {
    for (double value : new double[] {0, 1, -3, 1e-9, 1e9}) {
      Axis axis = Axis.covering(new double[] {value}, false);
      assertThat(axis.at(value)).as("%s in %s", value, axis).isBetween(0.0, 1.0);
      assertThat(axis.ticks()).hasSizeBetween(2, 7);
    }
    assertThat(Axis.counting(1, 1).at(1)).isEqualTo(0.5);
  }

  @Test
  void countsAreWhole() {
    assertThat(labels(Axis.counting(1, 7))).containsExactly("1", "2", "3", "4", "5", "6", "7");
    assertThat(labels(Axis.counting(1, 400))).containsExactly("100", "200", "300", "400");
    assertThat(Axis.counting(1e300, 1e300).ticks()).hasSize(1);
    assertThat(Axis.counting(1e16, Math.nextUp(1e16)).ticks()).as("steps too small to count").hasSizeBetween(1, 40);
  }

  @Test
  void thinningKeepsEndsAndPeaks() {
    assertThat(Thinning.evenly(1000, 12)).hasSize(12).startsWith(0).endsWith(999);
    assertThat(Thinning.geometrically(100, 5)).containsExactly(0, 2, 9, 31, 99);
    assertThat(Thinning.geometrically(3, 5)).containsExactly(0, 1, 2);
    double[] values = IntStream.range(0, 5000).mapToDouble(i -> Math.sin(i * 0.01)).toArray();
    values[1234] = 7;
    values[4321] = -7;
    values[2500] = Double.NaN;
    assertThat(Thinning.kept(values)).contains(0, 1234, 4321, 2500, 4999).hasSizeLessThan(300);
  }

  @Test
  void labelsAtLinesEndsDoNotCoverEachOther() {
    double[] same = IntStream.range(0, 14).mapToDouble(i -> 120).toArray();
    double[] apart = LineChart.apart(same, 230);
    double[] low = LineChart.apart(new double[] {10, 228, 229, 230}, 230);
    assertThat(low).containsExactly(10, 204, 217, 230);
    for (int i = 1; i < apart.length; i++) {
      assertThat(apart[i] - apart[i - 1]).isGreaterThanOrEqualTo(12);
    }
    assertThat(apart[13]).isLessThanOrEqualTo(230);
    assertThat(apart[0]).isNotNegative();
  }

  @Test
  void theOutputLayerStandsBehindTheOthers() {
    assertThat(Axis.layers(3, true).labels()).containsExactly("1", "2", "3", "output");
    assertThat(Axis.layers(3, true).at(4)).isEqualTo(1);
    assertThat(Axis.layers(3, false).labels()).containsExactly("1", "2", "3");
    assertThat(Axis.layers(30, true).labels()).startsWith("5", "10").endsWith("30", "output");
  }

  private static List<String> labels(Axis axis) {
    return axis.ticks().stream().map(Axis::label).toList();
  }
}
