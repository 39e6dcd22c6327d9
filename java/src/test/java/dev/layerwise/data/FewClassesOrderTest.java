package dev.layerwise.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FewClassesOrderTest {
  private static final int BATCH = 128;
  private static final int FIRST = 20;

  @Test
  void mostBatchesOfTheCifar100RecipeShowFewClasses() {
    int[] labels = cyclicLabels(50_000, 100);
    int[] order = FewClassesOrder.shuffled(labels, 100, BATCH, FIRST, 1, 1);
    assertThat(Arrays.stream(order).sorted().toArray()).isEqualTo(IntStream.range(0, 50_000).toArray());
    int[] counts = classCounts(order, labels, BATCH);
    // 20 images of 100 classes show 18 of them, at most 20; near the end of the epoch images of those run out.
    assertThat(Arrays.stream(counts).filter(count -> count >= 10 && count <= FIRST).count())
        .isGreaterThan(counts.length * 9 / 10);
    int[] plain = classCounts(EpochOrder.shuffled(50_000, 1, 1), labels, BATCH);
    assertThat(Arrays.stream(plain, 0, plain.length - 1).min().orElseThrow()).isGreaterThan(50);
  }

  @Test
  void followsTheDefinition() {
    Random random = new Random(3);
    for (int trial = 0; trial < 500; trial++) {
      int classes = 1 + random.nextInt(40);
      int count = random.nextInt(400);
      int batch = 1 + random.nextInt(60);
      int first = 1 + random.nextInt(batch);
      // Squared: classes of very different sizes.
      int[] labels = random.doubles(count).mapToInt(x -> (int) (x * x * classes)).toArray();
      assertThat(FewClassesOrder.shuffled(labels, classes, batch, first, trial, 7))
          .as("%d images, %d classes, batches of %d, %d first", count, classes, batch, first)
          .isEqualTo(byDefinition(labels, batch, first, EpochOrder.shuffled(count, trial, 7)));
    }
  }

  /** The definition sentence by sentence, on a list that images are removed from. */
  private static int[] byDefinition(int[] labels, int batchSize, int first, int[] shuffled) {
    List<Integer> line = new ArrayList<>(Arrays.stream(shuffled).boxed().toList());
    List<Integer> order = new ArrayList<>();
    while (!line.isEmpty()) {
      List<Integer> batch = new ArrayList<>();
      while (batch.size() < first && !line.isEmpty()) {
        batch.add(line.remove(0));
      }
      int passedOver = 0;
      while (batch.size() < batchSize && classesOf(batch, labels).size() < 10 && passedOver < 10 * first
          && passedOver < line.size()) {
        if (classesOf(batch, labels).contains(labels[line.get(passedOver)])) {
          passedOver++;
        } else {
          batch.add(line.remove(passedOver));
        }
      }
      Set<Integer> present = classesOf(batch, labels);
      for (int i = 0; i < line.size() && batch.size() < batchSize; ) {
        if (present.contains(labels[line.get(i)])) {
          batch.add(line.remove(i));
        } else {
          i++;
        }
      }
      while (batch.size() < batchSize && !line.isEmpty()) {
        batch.add(line.remove(0));
      }
      order.addAll(batch);
    }
    return order.stream().mapToInt(Integer::intValue).toArray();
  }

  private static Set<Integer> classesOf(List<Integer> images, int[] labels) {
    Set<Integer> classes = new HashSet<>();
    images.forEach(image -> classes.add(labels[image]));
    return classes;
  }

  @Test
  void dependsOnSeedAndEpochAlone() {
    int[] labels = cyclicLabels(1000, 50);
    int[] order = FewClassesOrder.shuffled(labels, 50, 32, 5, 1, 1);
    assertThat(FewClassesOrder.shuffled(labels, 50, 32, 5, 1, 1)).isEqualTo(order);
    assertThat(FewClassesOrder.shuffled(labels, 50, 32, 5, 1, 2)).isNotEqualTo(order);
    assertThat(FewClassesOrder.shuffled(labels, 50, 32, 5, 2, 1)).isNotEqualTo(order);
  }

  @Test
  void aBatchOfFirstImagesAloneIsThePlainOrder() {
    assertThat(FewClassesOrder.shuffled(cyclicLabels(1000, 50), 50, 32, 32, 4, 2))
        .isEqualTo(EpochOrder.shuffled(1000, 4, 2));
  }

  @Test
  void isFastOnMillionsOfImages() {
    // Seconds are ample for what takes 0.2 s; removing from a list of a million would take minutes.
    int[] labels = cyclicLabels(1_000_000, 100);
    assertTimeout(Duration.ofSeconds(10), () -> FewClassesOrder.shuffled(labels, 100, BATCH, FIRST, 1, 1));
  }

  private static int[] cyclicLabels(int count, int classes) {
    return IntStream.range(0, count).map(image -> image % classes).toArray();
  }

  private static int[] classCounts(int[] order, int[] labels, int batchSize) {
    int batches = (order.length + batchSize - 1) / batchSize;
    return IntStream.range(0, batches)
        .map(
            batch ->
                (int)
                    Arrays.stream(order, batch * batchSize, Math.min(order.length, (batch + 1) * batchSize))
                        .map(image -> labels[image])
                        .distinct()
                        .count())
        .toArray();
  }
}
