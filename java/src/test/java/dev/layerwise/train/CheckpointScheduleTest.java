package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.train.CheckpointSchedule.Last;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class CheckpointScheduleTest {
  private static final long SECOND = 1_000_000_000L;

  private static Last last(double secondsAgo, double secondsHeldUp) {
    return new Last((long) (secondsAgo * SECOND), (long) (secondsHeldUp * SECOND));
  }

  @Test
  void byDefaultCheckpointsTakeATwentiethOfTheTimeAtMost() {
    CheckpointSchedule usual = CheckpointSchedule.DEFAULT;
    assertThat(usual.isDueAfterEpoch(1, last(18.9, 1))).isFalse();
    assertThat(usual.isDueAfterEpoch(1, last(19, 1))).isTrue();
    assertThat(usual.isDueAfterEpoch(7, last(0.1, 0.001))).isTrue();
    // The whole time of short epochs: 2 s of checkpoints are written once in 40 s.
    double now = 0;
    double written = 0;
    double held = 0;
    for (int epoch = 1; epoch <= 100; epoch++) {
      now += 3;
      if (usual.isDueAfterEpoch(epoch, last(now - written, 2))) {
        now += 2;
        held += 2;
        written = now;
      }
    }
    assertThat(held / now).isBetween(0.03, 0.05);
  }

  @Test
  void longEpochsAreSavedFromTimeToTime() {
    CheckpointSchedule usual = CheckpointSchedule.DEFAULT;
    assertThat(usual.isDueAfterStep(12, last(14 * 60, 1))).isFalse();
    assertThat(usual.isDueAfterStep(12, last(15 * 60, 1))).isTrue();
    assertThat(usual.isDueAfterStep(12, last(15 * 60, 60))).isFalse();
  }

  @Test
  void whatWasAskedForIsDone() {
    assertThat(new CheckpointSchedule(2, 0, null).isDueAfterEpoch(4, last(0, 100))).isTrue();
    assertThat(new CheckpointSchedule(2, 0, null).isDueAfterEpoch(5, last(100, 0))).isFalse();
    assertThat(new CheckpointSchedule(0, 3, null).isDueAfterStep(6, last(0, 100))).isTrue();
    assertThat(new CheckpointSchedule(0, 0, Duration.ofSeconds(9)).isDueAfterStep(1, last(9, 100))).isTrue();
  }
}
