package dev.layerwise.settings;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.settings.Settings.MayBeAbsent;

/**
 * Which images are trained on, and which make a step.
 *
 * @param batchSize images per step; the last, smaller batch of an epoch is trained too
 * @param classesPerBatch images that a batch starts with before it is filled with others of their classes; 0: batches are
 *     drawn without regard to classes
 * @param classesPerBatchUntilEpoch last epoch (counted from 1) of such batches; 0: all epochs have them
 * @param validation part of the training images, of each class alike, that is held out to measure on, such as 0.1; null:
 *     none
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Batches(
    Integer batchSize,
    Integer classesPerBatch,
    Integer classesPerBatchUntilEpoch,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double validation) {
  /** The published ones. */
  public static final Batches DEFAULT = new Batches(128, 0, 0, null);

  private static final int MOST = 1_000_000;

  /** Checks the values; throws {@link SettingsException}. A validation of 0 asks for none. */
  public Batches {
    Rules.range("batch_size", batchSize, 1, MOST);
    Rules.range("classes_per_batch", classesPerBatch, 0, MOST);
    Rules.range("classes_per_batch_until_epoch", classesPerBatchUntilEpoch, 0, MOST);
    Rules.belowOne("validation", validation);
  }

  /** These over a base. */
  public Batches over(Batches base) {
    Batches whole = Settings.over(this, base);
    SettingsException.require(
        whole.classesPerBatch <= whole.batchSize,
        "{classes_per_batch} " + whole.classesPerBatch + " is more than a batch holds, which is " + whole.batchSize
            + " images");
    SettingsException.require(
        whole.classesPerBatch > 0 || classesPerBatchUntilEpoch == null,
        "{classes_per_batch_until_epoch} says how long {classes_per_batch} holds; it goes with it");
    boolean few = whole.classesPerBatch > 0;
    return new Batches(
        whole.batchSize, whole.classesPerBatch, few ? whole.classesPerBatchUntilEpoch : (Integer) 0,
        whole.validates() ? whole.validation : null);
  }

  /** Throws {@link SettingsException} for batches that leave batch normalization nothing to normalize. */
  public void requireFit(Architecture architecture) {
    SettingsException.require(
        batchSize > 1 || !architecture.batchNorm(),
        "{batch_size} 1 leaves batch normalization nothing to normalize; take at least 2, or {!batch_norm}");
  }

  /** Whether images are held out to measure on. */
  public boolean validates() {
    return validation != null && validation > 0;
  }

  /** Whether an epoch (counted from 1) has batches of few classes. */
  public boolean areOfFewClasses(int epoch) {
    return classesPerBatch > 0 && (classesPerBatchUntilEpoch == 0 || epoch <= classesPerBatchUntilEpoch);
  }

  /** For a schedule that is stretched by a factor. */
  public Batches stretched(double factor) {
    return classesPerBatchUntilEpoch == 0 ? this
        : new Batches(batchSize, classesPerBatch, Schedule.stretch(classesPerBatchUntilEpoch, factor), validation);
  }
}
