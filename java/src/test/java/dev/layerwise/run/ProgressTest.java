package dev.layerwise.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.run.EpochReport.BlockReport;
import dev.layerwise.run.TrainingResult.Ending;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.util.Collections;
import java.util.List;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

class ProgressTest {
  private static final Schedule PATIENT =
      Settings.over(Settings.partial(Schedule.class, "epochs", 9, "patience", 2), Schedule.DEFAULT);

  /** After epochs with these test errors and, unless they are null, validation errors. */
  private static Progress after(double[] test, Double[] validation) {
    Progress progress = Progress.start(2);
    for (int i = 0; i < test.length; i++) {
      assertThat(progress.isOver(PATIENT)).isFalse();
      progress =
          progress.nextEpoch(
              new EpochReport(i + 1, 9, 1e-3, 1, 9, 1, test[i], validation[i], validation[i], 100, i, List.of()),
              Freezing.NONE, 0);
    }
    return progress;
  }

  @Test
  void blocksAreFrozenFromTheFrontAndKeepTheirLastSums() {
    Freezing auto = new Freezing(Freezing.AUTO);
    double[][] errors = {{50, 9, 80}, {40, 9, 70}, {39.9, 9, 60}, {39.8, 9, 59.5}, {1, 1, 59}, {1, 1, 59}, {1, 1, 59}};
    // The second waits for the first. The third falls by less than 1 % in epoch 4, and by more in the two to epoch 5.
    int[] frozenAfter = {0, 0, 0, 2, 2, 2, 3};
    BlockMetrics seen = new BlockMetrics(1, 2, 3, 4, 5);
    Progress progress = Progress.start(4);
    for (int i = 0; i < errors.length; i++) {
      progress = progress.later(10, 1, 1, Collections.nCopies(4, seen));
      List<BlockReport> blocks =
          DoubleStream.of(errors[i]).mapToObj(error -> new BlockReport("b", 1.0, 1.0, null, error, null, null)).toList();
      progress = progress.nextEpoch(new EpochReport(i + 1, 9, 1, 1, 1, 1, 1, null, null, 1, 1, blocks), auto, 0);
      assertThat(progress.frozenBlocks()).as("after epoch %d", i + 1).isEqualTo(frozenAfter[i]);
      assertThat(progress.sums().subList(0, frozenAfter[i])).allMatch(seen::equals);
      assertThat(progress.sums().subList(frozenAfter[i], 4)).allMatch(BlockMetrics.NONE::equals);
    }
  }

  @Test
  void theTestErrorDecidesOnlyWithoutImagesHeldOut() {
    double[] test = {5, 4, 6, 6};
    Progress plain = after(test, new Double[4]);
    assertThat(plain.result(PATIENT, Ending.STOPPED, null))
        .isEqualTo(new TrainingResult(Ending.NO_IMPROVEMENT, 4, 6.0, null, 4.0, null, 2, null, 3));

    Progress falling = after(test, new Double[] {8.0, 7.5, 7.0, 7.0});
    assertThat(falling.isOver(PATIENT)).isFalse();
    assertThat(falling.result(PATIENT, Ending.STOPPED, null))
        .isEqualTo(new TrainingResult(Ending.STOPPED, 4, 6.0, 7.0, 6.0, 7.0, 3, null, 3));

    Progress rising = after(new double[] {5, 4, 3}, new Double[] {7.0, 8.0, 9.0});
    assertThat(rising.result(PATIENT, Ending.STOPPED, null))
        .isEqualTo(new TrainingResult(Ending.NO_IMPROVEMENT, 3, 3.0, 9.0, 5.0, 7.0, 1, null, 2));
  }
}
