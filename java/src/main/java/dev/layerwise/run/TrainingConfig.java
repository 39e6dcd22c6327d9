package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.EpochOrder;
import dev.layerwise.data.FewClassesOrder;
import dev.layerwise.data.Images;
import dev.layerwise.data.ValidationSplit;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * How a network is trained.
 *
 * @param dataset what it is called
 * @param resize of images in files: what the shorter side of a test image is made before its centre is cut out; null: images
 *     in memory
 * @param freezing null: all blocks are trained to the end
 * @param seed keys initialization, shuffling, augmentation and dropout
 */
@Settings.Group
public record TrainingConfig(
    String dataset,
    @Settings.MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Integer resize,
    @JsonUnwrapped Batches batches,
    @JsonUnwrapped @JsonProperty("schedule_group") Schedule schedule, // as "schedule" it would hide one of its settings
    @JsonUnwrapped Augmentation augmentation,
    @JsonUnwrapped Freezing freezing,
    long seed) {

  /** Throws if something is missing. */
  public TrainingConfig {
    Objects.requireNonNull(dataset);
    Settings.requireWhole(batches);
    Settings.requireWhole(schedule);
    Settings.requireWhole(augmentation);
    freezing = freezing == null ? Freezing.NONE : freezing;
  }

  /** One whose blocks are all trained to the end. */
  public TrainingConfig(
      String dataset, Integer resize, Batches batches, Schedule schedule, Augmentation augmentation, long seed) {
    this(dataset, resize, batches, schedule, augmentation, Freezing.NONE, seed);
  }

  /**
   * Whether the run's model is that of its best epoch instead of its last: where images are held out to choose it by, or
   * where the run has patience, which ends it some epochs after the best one.
   */
  public boolean keepsBest() {
    return batches.validates() || schedule.patience() != null && schedule.patience() > 0;
  }

  /** Which of the training images are trained on, and which are held out. */
  public ValidationSplit split(Images images) {
    return batches.validates()
        ? ValidationSplit.of(images.labels(), images.classes(), batches.validation(), seed)
        : ValidationSplit.none(images.count());
  }

  /**
   * The order in which an epoch (counted from 1) visits the training images.
   *
   * @param trained numbers of those that are trained on
   * @return these numbers in that order
   */
  public int[] order(Images images, int[] trained, int epoch) {
    int[] order =
        batches.areOfFewClasses(epoch)
            ? FewClassesOrder.shuffled(
                labels(images, trained), images.classes(), batches.batchSize(), batches.classesPerBatch(), seed, epoch)
            : EpochOrder.shuffled(trained.length, seed, epoch);
    return IntStream.of(order).map(place -> trained[place]).toArray();
  }

  private static int[] labels(Images images, int[] trained) {
    int[] labels = images.labels();
    return IntStream.of(trained).map(image -> labels[image]).toArray();
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
    return new TrainingConfig(dataset, resize, batches, schedule, augmentation, freezing, other);
  }

  /** The same over more or fewer epochs: all its epoch numbers times a factor, rounded, but at least 1. */
  public TrainingConfig stretched(double factor) {
    return new TrainingConfig(
        dataset, resize, batches.stretched(factor), schedule.stretched(factor), augmentation, freezing.stretched(factor),
        seed);
  }

  /**
   * The same in today's words: older versions did not record how they cut images in files.
   *
   * @param images what the network takes
   */
  TrainingConfig inFull(ImageShape images) {
    return !dataset.equals(DataSets.IMAGE_FOLDER) ? this
        : new TrainingConfig(
            dataset, resize != null ? resize : (Integer) ImageShape.usualResize(images.side()), batches, schedule,
            augmentation.ofImageFiles(), freezing, seed);
  }
}
