package dev.layerwise.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ValidationSplitTest {
  /** Classes of very different sizes: each has twice as many images as the one before. */
  private static int[] labels(int count) {
    Random random = new Random(3);
    return IntStream.range(0, count).map(image -> 32 - Integer.numberOfLeadingZeros(random.nextInt(512))).toArray();
  }

  @Test
  void everyImageIsOnOneSideAndEveryClassHoldsOutItsPart() {
    int[] labels = labels(3011);
    for (double fraction : new double[] {0.1, 1 / 3.0, 0.5, 0.85}) {
      ValidationSplit split = ValidationSplit.of(labels, 10, fraction, 7);
      assertThat(IntStream.concat(IntStream.of(split.trained()), IntStream.of(split.heldOut())).sorted().toArray())
          .containsExactly(IntStream.range(0, labels.length).toArray());
      assertThat(split.trained()).isSorted();
      assertThat(split.heldOut()).isSorted().hasSize((int) Math.round(labels.length * fraction));
      for (int label = 0; label < 10; label++) {
        int of = label;
        long all = IntStream.of(labels).filter(one -> one == of).count();
        long held = IntStream.of(split.heldOut()).filter(image -> labels[image] == of).count();
        assertThat(Math.abs(held - all * fraction)).as("class %d of %d images", label, all).isLessThan(1);
      }
    }
  }

  @Test
  void isTheSameEverywhereAndDependsOnTheSeed() {
    int[] labels = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    assertThat(ValidationSplit.of(labels, 2, 0.33, 1).heldOut()).containsExactly(2, 7, 8, 11);
    assertThat(ValidationSplit.of(labels, 2, 0.33, -8).heldOut()).containsExactly(4, 6, 7, 11);
    int[] many = labels(1000);
    assertThat(ValidationSplit.of(many, 10, 0.1, 1).heldOut()).isNotEqualTo(ValidationSplit.of(many, 10, 0.1, 2).heldOut());
  }

  @Test
  void everyImageOfAClassIsEquallyLikely() {
    int[] labels = IntStream.range(0, 30).map(image -> image % 3).toArray();
    int seeds = 20_000;
    int[] held = new int[labels.length];
    for (int seed = 0; seed < seeds; seed++) {
      IntStream.of(ValidationSplit.of(labels, 3, 0.2, seed).heldOut()).forEach(image -> held[image]++);
    }
    // Binomial: mean 4000, deviation sqrt(20000 · 0.2 · 0.8) = 57; five deviations for 30 counts.
    assertThat(Arrays.stream(held)).allMatch(count -> Math.abs(count - 4000) <= 285);
  }

  @Test
  void noSideIsEmpty() {
    assertThatThrownBy(() -> ValidationSplit.of(new int[4], 1, 0.1, 1))
        .isInstanceOf(DataException.class)
        .hasMessage("a validation fraction of 0.1 of 4 training images leaves no image to validate on; choose a larger one");
    assertThatThrownBy(() -> ValidationSplit.of(new int[4], 1, 0.9, 1)).hasMessageContaining("no image to train on");
    assertThat(ValidationSplit.none(3).trained()).containsExactly(0, 1, 2);
    assertThat(ValidationSplit.none(3).heldOut()).isEmpty();
  }
}
