package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.layerwise.data.EpochOrder;
import dev.layerwise.data.FewClassesOrder;
import dev.layerwise.data.Images;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.util.Objects;

/**
 * How a network is trained.
 *
 * @param dataset what it is called
 * @param seed keys initialization, shuffling, augmentation and dropout
 */
@Settings.Group
public record TrainingConfig(
    String dataset,
    @JsonUnwrapped Batches batches,
    @JsonUnwrapped @JsonProperty("schedule_group") Schedule schedule, // as "schedule" it would hide one of its settings
    @JsonUnwrapped Augmentation augmentation,
    long seed) {

  /** Throws if something is missing. */
  public TrainingConfig {
    Objects.requireNonNull(dataset);
    Settings.requireWhole(batches);
    Settings.requireWhole(schedule);
    Settings.requireWhole(augmentation);
  }

  /** The order in which an epoch (counted from 1) visits the training images. */
  public int[] order(Images images, int epoch) {
    return batches.areOfFewClasses(epoch)
        ? FewClassesOrder.shuffled(
            images.labels(), images.classes(), batches.batchSize(), batches.classesPerBatch(), seed, epoch)
        : EpochOrder.shuffled(images.count(), seed, epoch);
  }

  /**
   * The learning rate of a step.
   *
   * @param passed epochs that are over when the step begins, the part of the epoch under way included
   */
  public double learningRate(double passed) {
    return schedule.learningRate(passed, batches.batchSize());
  }

  /** The same with another seed. */
  public TrainingConfig withSeed(long other) {
    return new TrainingConfig(dataset, batches, schedule, augmentation, other);
  }

  /** The same over more or fewer epochs: all its epoch numbers times a factor, rounded, but at least 1. */
  public TrainingConfig stretched(double factor) {
    return new TrainingConfig(dataset, batches.stretched(factor), schedule.stretched(factor), augmentation, seed);
  }
}
