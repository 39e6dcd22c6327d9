package dev.layerwise.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class EpochOrderTest {
  @Test
  void isAPermutation() {
    for (int count : new int[] {0, 1, 2, 1437}) {
      int[] order = EpochOrder.shuffled(count, 5, 3);
      assertThat(Arrays.stream(order).sorted().toArray()).isEqualTo(IntStream.range(0, count).toArray());
    }
  }

  @Test
  void isTheSameForever() {
    // From a transcription of the specified generator into another language.
    assertThat(EpochOrder.shuffled(10, 1, 1)).containsExactly(2, 4, 3, 1, 5, 6, 9, 0, 7, 8);
    assertThat(EpochOrder.shuffled(10, -7, 12)).containsExactly(1, 4, 2, 0, 7, 3, 8, 6, 5, 9);
  }

  @Test
  void dependsOnSeedAndEpoch() {
    int[] order = EpochOrder.shuffled(1000, 1, 1);
    assertThat(EpochOrder.shuffled(1000, 1, 2)).isNotEqualTo(order);
    assertThat(EpochOrder.shuffled(1000, 2, 1)).isNotEqualTo(order);
  }

  @Test
  void everyPlaceIsEquallyLikely() {
    int epochs = 20_000;
    int[][] seen = new int[5][5];
    for (int epoch = 0; epoch < epochs; epoch++) {
      int[] order = EpochOrder.shuffled(5, 42, epoch);
      for (int place = 0; place < 5; place++) {
        seen[place][order[place]]++;
      }
    }
    // Binomial: mean 4000, deviation sqrt(20000 · 0.2 · 0.8) = 57; five deviations for 25 counts.
    assertThat(Arrays.stream(seen).flatMapToInt(Arrays::stream)).allMatch(count -> Math.abs(count - 4000) <= 285);
  }
}
