package dev.layerwise.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.run.TrainingResult.Ending;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.util.List;
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
              new EpochReport(i + 1, 9, 1e-3, 1, 9, 1, test[i], validation[i], validation[i], 100, i, List.of()));
    }
    return progress;
  }

  @Test
  void theTestErrorDecidesOnlyWithoutImagesHeldOut() {
    double[] test = {5, 4, 6, 6};
    Progress plain = after(test, new Double[4]);
    assertThat(plain.result(PATIENT, Ending.STOPPED))
        .isEqualTo(new TrainingResult(Ending.NO_IMPROVEMENT, 4, 6.0, null, 4.0, null, 2, 3));

    Progress falling = after(test, new Double[] {8.0, 7.5, 7.0, 7.0});
    assertThat(falling.isOver(PATIENT)).isFalse();
    assertThat(falling.result(PATIENT, Ending.STOPPED))
        .isEqualTo(new TrainingResult(Ending.STOPPED, 4, 6.0, 7.0, 6.0, 7.0, 3, 3));

    Progress rising = after(new double[] {5, 4, 3}, new Double[] {7.0, 8.0, 9.0});
    assertThat(rising.result(PATIENT, Ending.STOPPED))
        .isEqualTo(new TrainingResult(Ending.NO_IMPROVEMENT, 3, 3.0, 9.0, 5.0, 7.0, 1, 2));
  }
}
