package dev.layerwise.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.data.EpochOrder;
import dev.layerwise.data.FewClassesOrder;
import dev.layerwise.data.ImageSet;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingConfigTest {
  @ParameterizedTest
  @CsvSource({"1, 0.4", "15, 0.4", "16, 0.1", "22, 0.1", "23, 0.025", "30, 0.025"})
  void theRateFallsBehindEachMilestone(int epoch, double expected) {
    assertThat(config(0, 0).learningRate(epoch - 1)).isEqualTo(expected);
  }

  @Test
  void batchesShowFewClassesUntilAnEpochInclusive() {
    int[] labels = IntStream.range(0, 600).map(image -> image % 30).toArray();
    ImageSet images = new ImageSet(new byte[600], labels, 1, 1, 1, 30);
    int[] few3 = FewClassesOrder.shuffled(labels, 30, 64, 12, 1, 3);
    int[] few4 = FewClassesOrder.shuffled(labels, 30, 64, 12, 1, 4);
    assertThat(order(config(12, 3), images, 3)).isEqualTo(few3);
    assertThat(order(config(12, 3), images, 4)).isEqualTo(EpochOrder.shuffled(600, 1, 4)).isNotEqualTo(few4);
    assertThat(order(config(12, 0), images, 4)).isEqualTo(few4);
    assertThat(order(config(0, 0), images, 3)).isEqualTo(EpochOrder.shuffled(600, 1, 3));
  }

  private static int[] order(TrainingConfig config, ImageSet images, int epoch) {
    return config.order(images, config.split(images).trained(), epoch);
  }

  @Test
  void anEpochVisitsEveryImageThatIsNotHeldOutOnce() {
    int[] labels = IntStream.range(0, 600).map(image -> image * image % 7).toArray();
    ImageSet images = new ImageSet(new byte[600], labels, 1, 1, 1, 7);
    for (TrainingConfig whole : List.of(config(0, 0), config(4, 0))) {
      TrainingConfig config =
          new TrainingConfig(
              "digits", null, Settings.with(whole.batches(), "validation", 0.25), whole.schedule(), whole.augmentation(), 1);
      int[] trained = config.split(images).trained();
      int[] order = config.order(images, trained, 2);
      assertThat(trained).hasSize(450);
      assertThat(order).isNotEqualTo(trained);
      assertThat(IntStream.of(order).sorted().toArray()).containsExactly(trained);
      assertThat(config.order(images, trained, 3)).isNotEqualTo(order);
      assertThat(config.stretched(0.1).batches().validation()).isEqualTo(0.25);
    }
  }

  @Test
  void batchesOfFewClassesAreMadeOfTheImagesThatAreTrainedOn() {
    int[] labels = IntStream.range(0, 6000).map(image -> image % 30).toArray();
    ImageSet images = new ImageSet(new byte[6000], labels, 1, 1, 1, 30);
    TrainingConfig config = config(12, 0);
    int[] trained = IntStream.range(0, 6000).filter(image -> image % 4 != 0).toArray();
    int[] order = config.order(images, trained, 1);
    int most = IntStream.range(0, 20).map(
        batch -> (int) IntStream.of(order).skip(64L * batch).limit(64).map(image -> labels[image]).distinct().count())
        .max().orElseThrow();
    assertThat(most).isLessThan(16); // 64 of all images would have some 27
  }

  @Test
  void stretchingMovesEveryEpochNumber() {
    TrainingConfig tenth = config(12, 14).stretched(0.1);
    assertThat(tenth.schedule().epochs()).isEqualTo(3);
    assertThat(tenth.schedule().lrDecayMilestones()).containsExactly(2, 2);
    assertThat(tenth.batches().classesPerBatchUntilEpoch()).isEqualTo(1);
    TrainingConfig least = config(12, 0).stretched(1e-6);
    assertThat(least.schedule().epochs()).isEqualTo(1);
    assertThat(least.batches().classesPerBatchUntilEpoch()).isZero();
    assertThat(config(12, 14).stretched(1)).isEqualTo(config(12, 14));
  }

  private static TrainingConfig config(int classesPerBatch, int untilEpoch) {
    return new TrainingConfig(
        "digits", null,
        Settings.partial(
            Batches.class, "batch_size", 64, "classes_per_batch", classesPerBatch,
            "classes_per_batch_until_epoch", untilEpoch),
        Settings.partial(
            Schedule.class, "epochs", 30, "lr", 0.4, "lr_decay_milestones", List.of(15, 22), "lr_decay_fact", 0.25),
        Augmentation.NONE, 1);
  }
}
