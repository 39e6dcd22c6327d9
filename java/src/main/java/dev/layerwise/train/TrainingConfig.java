package dev.layerwise.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.data.EpochOrder;
import dev.layerwise.data.FewClassesOrder;
import dev.layerwise.data.Images;
import dev.layerwise.nativelib.Augmentation;
import java.util.List;
import java.util.Objects;

/**
 * How a network is trained: data, schedule and seed.
 *
 * @param epochs passes over the training images
 * @param batchSize images per step; the last, smaller batch of an epoch is trained too
 * @param classesPerBatch images that a batch starts with before it is filled with others of their classes
 *     ({@link FewClassesOrder}); 0: batches are drawn without regard to classes
 * @param classesPerBatchUntilEpoch last epoch (counted from 1) of such batches; 0: all epochs have them
 * @param lr learning rate at the start
 * @param lrDecayMilestones epochs (counted from 1) after which the rate is multiplied by lrDecayFact
 * @param cropPadding black pixels framing an image before a random crop of its own size; 0 for none
 * @param nHoles squares cut out of every image; 0 for none
 * @param length side of such a square, in pixels
 * @param seed keys initialization, shuffling, augmentation and dropout
 * @param patience epochs without an improvement of the test error after which the run ends; {@code null}: it does not
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record TrainingConfig(
    String dataset,
    int epochs,
    int batchSize,
    int classesPerBatch,
    int classesPerBatchUntilEpoch,
    double lr,
    List<Integer> lrDecayMilestones,
    double lrDecayFact,
    int cropPadding,
    boolean horizontalFlip,
    int nHoles,
    int length,
    long seed,
    @JsonInclude(JsonInclude.Include.NON_NULL) Integer patience) {

  /** Throws {@link NullPointerException} if a name or the list is missing. */
  public TrainingConfig {
    Objects.requireNonNull(dataset);
    lrDecayMilestones = List.copyOf(lrDecayMilestones);
  }

  /** A run that ends after its epochs and not before. */
  public TrainingConfig(
      String dataset, int epochs, int batchSize, int classesPerBatch, int classesPerBatchUntilEpoch, double lr,
      List<Integer> lrDecayMilestones, double lrDecayFact, int cropPadding, boolean horizontalFlip, int nHoles,
      int length, long seed) {
    this(
        dataset, epochs, batchSize, classesPerBatch, classesPerBatchUntilEpoch, lr, lrDecayMilestones, lrDecayFact,
        cropPadding, horizontalFlip, nHoles, length, seed, null);
  }

  /** The same with another patience; {@code null}: without end. */
  public TrainingConfig withPatience(Integer otherPatience) {
    return new TrainingConfig(
        dataset, epochs, batchSize, classesPerBatch, classesPerBatchUntilEpoch, lr, lrDecayMilestones, lrDecayFact,
        cropPadding, horizontalFlip, nHoles, length, seed, otherPatience);
  }

  /** The learning rate of an epoch (counted from 1): lr · fact^(milestones ≤ epoch − 1). */
  public double learningRate(int epoch) {
    long passed = lrDecayMilestones.stream().filter(milestone -> milestone <= epoch - 1).count();
    return lr * Math.pow(lrDecayFact, passed);
  }

  /** What is done to a training image, or {@code null} where that is nothing. */
  public Augmentation augmentation() {
    boolean none = cropPadding == 0 && !horizontalFlip && nHoles == 0;
    return none ? null : new Augmentation(cropPadding, horizontalFlip, nHoles, length);
  }

  /** The order in which an epoch (counted from 1) visits the training images. */
  public int[] order(Images images, int epoch) {
    boolean fewClasses = classesPerBatch > 0 && (classesPerBatchUntilEpoch == 0 || epoch <= classesPerBatchUntilEpoch);
    return fewClasses
        ? FewClassesOrder.shuffled(images.labels(), images.classes(), batchSize, classesPerBatch, seed, epoch)
        : EpochOrder.shuffled(images.count(), seed, epoch);
  }

  /** The same with another seed. */
  public TrainingConfig withSeed(long otherSeed) {
    return new TrainingConfig(
        dataset, epochs, batchSize, classesPerBatch, classesPerBatchUntilEpoch, lr, lrDecayMilestones, lrDecayFact,
        cropPadding, horizontalFlip, nHoles, length, otherSeed, patience);
  }

  /** The same with another number of epochs. */
  public TrainingConfig withEpochs(int count) {
    return new TrainingConfig(
        dataset, count, batchSize, classesPerBatch, classesPerBatchUntilEpoch, lr, lrDecayMilestones, lrDecayFact,
        cropPadding, horizontalFlip, nHoles, length, seed, patience);
  }

  /** The same schedule over more or fewer epochs: all its epoch numbers times a factor, rounded, but at least 1. */
  public TrainingConfig stretched(double factor) {
    return new TrainingConfig(
        dataset, stretch(epochs, factor), batchSize, classesPerBatch,
        classesPerBatchUntilEpoch == 0 ? 0 : stretch(classesPerBatchUntilEpoch, factor), lr,
        lrDecayMilestones.stream().map(milestone -> stretch(milestone, factor)).toList(), lrDecayFact,
        cropPadding, horizontalFlip, nHoles, length, seed, patience);
  }

  private static int stretch(int epoch, double factor) {
    return (int) Math.max(1, Math.round(epoch * factor));
  }
}
