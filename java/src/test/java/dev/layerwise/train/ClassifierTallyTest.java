package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layerwise.run.EarlyExits;
import dev.layerwise.run.Evaluation;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Three classifiers of three classes, whose probabilities are written out. */
class ClassifierTallyTest {
  private static final SingleProcess ALONE = new SingleProcess();

  /** Until the classifiers: 10, 30 and 60 operations; without local classifiers 50. */
  private final ClassifierTally tally =
      new ClassifierTally(
          3, List.of("a", "b", "output"), 50, new long[] {10, 30, 60}, List.of(0.5, 0.75, 1.0));

  private static float[] logits(double... probabilities) {
    float[] logits = new float[probabilities.length];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) Math.log(probabilities[i]) + 7; // softmax takes no notice of a sum
    }
    return logits;
  }

  private void threeImages() {
    // Certain at once, and right; the output layer is wrong, and the mean of b and the output layer, too.
    tally.add(0, List.of(logits(0.8, 0.1, 0.1), logits(0.4, 0.3, 0.3), logits(0.2, 0.7, 0.1)), 0);
    // Only b is right, and its mean with the output layer.
    tally.add(1, List.of(logits(0.6, 0.3, 0.1), logits(0.1, 0.8, 0.1), logits(0.1, 0.4, 0.5)), 0);
    // a and the output layer are right; the output layer is not certain.
    tally.add(2, List.of(logits(0.3, 0.3, 0.4), logits(0.4, 0.3, 0.3), logits(0.3, 0.3, 0.4)), 0);
  }

  @Test
  void mistakesAreCountedForEveryClassifierAndMean() {
    threeImages();
    ClassifierTally.Counts counts = tally.all(ALONE);
    assertThat(counts.images()).containsExactly(3);
    assertThat(counts.single()).containsExactly(1, 1, 2);
    // Of the means of the last 2: (0.3, 0.5, 0.2), (0.1, 0.6, 0.3), (0.35, 0.3, 0.35): the first of equals is class 0.
    // Of all 3: (1.4, 1.1, 0.5), (0.8, 1.5, 0.7), (1.0, 0.9, 1.1).
    assertThat(counts.averages()).containsExactly(2, 2, 0);
  }

  @Test
  void theFirstCertainLayerAnswers() {
    threeImages();
    EarlyExits exits = tally.earlyExits(ALONE);
    assertThat(exits.layers()).containsExactly("a", "b", "output");
    assertThat(exits.networkFlops()).isEqualTo(50);
    // 0.5: a answers for 1 (right) and 2 (wrong), the output layer for 3 (right).
    check(exits.at(0.5), 100 / 3.0, (10 + 10 + 60) / 3.0, 2, 0, 1);
    // 0.75: a for 1, b for 2, the output layer for 3: all right.
    check(exits.at(0.75), 0, (10 + 30 + 60) / 3.0, 1, 1, 1);
    check(exits.at(1), 200 / 3.0, 60, 0, 0, 3);
  }

  private static void check(EarlyExits.Point point, double error, double flops, int... stopped) {
    assertThat(point.error()).isCloseTo(error, within(1e-12));
    assertThat(point.meanFlops()).isCloseTo(flops, within(1e-12));
    for (int i = 0; i < stopped.length; i++) {
      assertThat(point.stopped()[i]).isCloseTo(stopped[i] / 3.0, within(1e-15));
    }
  }

  @Test
  void theFewestMistakesAreChosenAndTheLaterOfEquals() {
    threeImages();
    ClassifierChoice best = tally.choose(ClassifierChoice.Kind.BEST, ALONE);
    assertThat(best.layers()).containsExactly("b"); // a makes as many mistakes
    assertThat(best.validationError()).isCloseTo(100 / 3.0, within(1e-12));
    assertThat(best.validationImages()).isEqualTo(3);
    ClassifierChoice average = tally.choose(ClassifierChoice.Kind.AVERAGE, ALONE);
    assertThat(average.layers()).containsExactly("a", "b", "output");
    assertThat(average.validationError()).isZero();

    // On other images, where of the means the shortest is as good as any.
    ClassifierTally other =
        new ClassifierTally(3, List.of("a", "b", "output"), 50, new long[] {10, 30, 60}, List.of());
    other.add(1, List.of(logits(0.6, 0.3, 0.1), logits(0.1, 0.8, 0.1), logits(0.1, 0.8, 0.1)), 0);
    assertThat(other.choose(ClassifierChoice.Kind.AVERAGE, ALONE).layers()).containsExactly("output");
    assertThat(other.choose(ClassifierChoice.Kind.BEST, ALONE).layers()).containsExactly("output");
    assertThat(other.error(best, ALONE)).isZero();
    assertThat(tally.error(average, ALONE)).isZero();
    assertThat(tally.error(new ClassifierChoice(ClassifierChoice.Kind.BEST, List.of("output"), 0, 1), ALONE))
        .isCloseTo(200 / 3.0, within(1e-12));
  }

  @Test
  void everyLayerHasAnError() {
    threeImages();
    assertThat(tally.layerErrors(ALONE)).extracting(Evaluation.LayerError::layer).containsExactly("a", "b", "output");
    assertThat(tally.layerErrors(ALONE).get(1).error()).isCloseTo(100 / 3.0, within(1e-12));
    assertThat(tally.layerErrors(ALONE).get(2).error()).isCloseTo(200 / 3.0, within(1e-12));
  }

  @Test
  void aNetworkWithoutLocalClassifiersHasNoCurve() {
    ClassifierTally single = new ClassifierTally(2, List.of("output"), 5, new long[] {5}, List.of(0.5));
    single.add(0, List.of(logits(0.9, 0.1)), 0);
    assertThat(single.earlyExits(ALONE)).isNull();
  }
}
