package dev.layerwise.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScheduleTest {
  private static final Schedule BASE = Schedule.published(10, 0.8, List.of(2, 5), 0.25);

  private static Schedule of(Object... namesAndValues) {
    return Settings.partial(Schedule.class, namesAndValues).over(BASE);
  }

  @ParameterizedTest
  @CsvSource({"0, 0.8", "1.99, 0.8", "2, 0.2", "4.5, 0.2", "5, 0.05", "9.99, 0.05"})
  void milestonesArePassedAtTheEndOfAnEpoch(double passed, double rate) {
    assertThat(BASE.learningRate(passed, 64)).isEqualTo(rate);
    assertThat(BASE.dependsOnEpochs()).isFalse();
  }

  @ParameterizedTest
  @CsvSource({
    "linear,    0,    0.8",
    "linear,    2.5,  0.65",
    "linear,    10,   0.2",
    "cosine,    0,    0.8",
    "cosine,    2.5,  0.7121320343559643", // 0.2 + 0.6 (1 + cos(π/4)) / 2
    "cosine,    10,   0.2",
    "one-cycle, 0,    0.032", // a 25th
    "one-cycle, 0.75, 0.416", // in the middle between the 25th and the whole
    "one-cycle, 1.5,  0.8",
    "one-cycle, 5.75, 0.5",
    "one-cycle, 10,   0.2"
  })
  void theRateFallsToTheFinalOne(String shape, double passed, double rate) {
    Schedule schedule = of("schedule", shape, "final_lr", 0.2);
    assertThat(schedule.learningRate(passed, 64)).isCloseTo(rate, within(1e-15));
    assertThat(schedule.dependsOnEpochs()).isTrue();
  }

  @Test
  void milestonesWarmUpToo() {
    Schedule schedule = of("warmup", 0.5);
    assertThat(schedule.learningRate(0, 64)).isEqualTo(0.8 / 25);
    assertThat(schedule.learningRate(2.5, 64)).isCloseTo(0.2 * (1 / 25.0 + 24 / 25.0 / 2), within(1e-15));
    assertThat(schedule.learningRate(5, 64)).isEqualTo(0.05);
    assertThat(schedule.dependsOnEpochs()).isTrue();
  }

  @Test
  void theRateFollowsTheBatchSize() {
    assertThat(of("lr_base_size", 64).learningRate(0, 256)).isEqualTo(1.6);
    assertThat(of("lr_base_size", 64, "lr_base_scale", "linear").learningRate(0, 256)).isEqualTo(3.2);
    assertThat(of("lr_base_size", 64).learningRate(0, 64)).isEqualTo(0.8);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "schedule | cosines | choose from milestones, cosine, linear, one-cycle",
        "final_lr | 0.1     | final_lr goes with schedule cosine, linear or one-cycle",
        "warmup   | 1       | warmup must be at least 0 and below 1",
        "lr_base_scale | sqrt | lr_base_scale goes with lr_base_size",
      })
  void refusesWhatDoesNotGoTogether(String name, String value, String message) {
    Object typed = value.matches("[0-9.]+") ? (Object) Double.valueOf(value) : value;
    assertThatThrownBy(() -> of(name, typed)).isInstanceOf(SettingsException.class).hasMessageContaining(message);
  }

  @Test
  void refusesMilestonesOfOtherSchedules() {
    assertThatThrownBy(() -> of("schedule", "linear", "lr_decay_milestones", List.of(3)))
        .hasMessageContaining("lr_decay_milestones goes with schedule milestones");
    assertThatThrownBy(() -> of("schedule", "linear", "lr_decay_fact", 0.5))
        .hasMessageContaining("lr_decay_fact goes with schedule milestones");
    assertThatThrownBy(() -> of("schedule", "linear", "final_lr", 0.9))
        .hasMessageContaining("final_lr must be at most lr, 0.8, not 0.9");
  }

  @Test
  void aScheduleHasNothingLeftOfAnother() {
    Schedule cosine = of("schedule", "cosine", "final_lr", 0.1);
    assertThat(cosine.lrDecayMilestones()).isEmpty();
    assertThatThrownBy(() -> Settings.partial(Schedule.class, "schedule", "milestones").over(cosine))
        .hasMessageContaining("schedule milestones needs lr_decay_milestones");
    Schedule again =
        Settings.partial(Schedule.class, "schedule", "milestones", "lr_decay_milestones", List.of(2, 5)).over(cosine);
    assertThat(again).isEqualTo(BASE);
  }
}
