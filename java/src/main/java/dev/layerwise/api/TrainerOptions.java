package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.settings.Freezing;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The settings of training that a {@link Trainer} can be told. */
abstract sealed class TrainerOptions permits Trainer {
  final TrainerSettings settings = new TrainerSettings();

  abstract Trainer self();

  /**
   * Passes over the training images.
   *
   * @param count at least 1
   * @return this
   * @throws LayerwiseException if it is not
   */
  public Trainer epochs(int count) {
    settings.schedule("epochs", count);
    return self();
  }

  /**
   * Images per step; the last, smaller batch of an epoch is trained too.
   *
   * @param count at least 1; at least 2 for a network with batch normalization
   * @return this
   * @throws LayerwiseException if it is not positive
   */
  public Trainer batchSize(int count) {
    settings.batches("batch_size", count);
    return self();
  }

  /**
   * Batches of few classes: they begin with some images, and are filled with others of their classes.
   *
   * @param images that a batch begins with, at most as many as it has; 0 (the default): batches of any classes
   * @param untilEpoch last epoch, counted from 1, with such batches; 0: all have them
   * @return this
   * @throws LayerwiseException if a number is out of its range
   */
  public Trainer classesPerBatch(int images, int untilEpoch) {
    settings.batches(
        "classes_per_batch", images, "classes_per_batch_until_epoch", images == 0 ? null : (Integer) untilEpoch);
    return self();
  }

  /**
   * The learning rate at the start.
   *
   * @param rate positive
   * @return this
   * @throws LayerwiseException if it is not, or not finite
   */
  public Trainer learningRate(double rate) {
    settings.schedule("lr", rate);
    return self();
  }

  /**
   * When the learning rate falls; by default it does not.
   *
   * @param factor by which it is multiplied each time, positive
   * @param afterEpochs counted from 1
   * @return this
   * @throws LayerwiseException if a number is out of its range
   */
  public Trainer decay(double factor, int... afterEpochs) {
    List<Integer> milestones = IntStream.of(afterEpochs).boxed().toList();
    settings.schedule("lr_decay_milestones", milestones, "lr_decay_fact", factor);
    return self();
  }

  /**
   * Ends the run early. Its model is then that of the best epoch.
   *
   * @param epochs without an improvement after which it ends, of the validation error or, without {@link #validation}, of
   *     the test error; 0 (the default): it does not
   * @return this
   * @throws LayerwiseException if it is negative
   */
  public Trainer patience(int epochs) {
    settings.schedule("patience", epochs);
    return self();
  }

  /**
   * Holds out a part of the training images, drawn from each class alike by the seed, and measures on them after every
   * epoch. {@link #patience} then looks at the error on these images and never at the test images, and the run's model is
   * that of the epoch with the lowest.
   *
   * @param fraction of the training images, below 1; 0 (the default): none
   * @return this
   * @throws LayerwiseException if it is out of its range
   */
  public Trainer validation(double fraction) {
    settings.batches("validation", fraction);
    return self();
  }

  /**
   * Stops training hidden blocks after these epochs, from the front; by default all are trained to the end. A frozen block
   * passes images on as in evaluation, with running statistics and without dropout.
   *
   * @param epochs after which the first hidden block, the second and so on are frozen, not falling
   * @return this
   * @throws LayerwiseException if they fall, or are not positive
   */
  public Trainer freezeAfter(int... epochs) {
    String text = IntStream.of(epochs).mapToObj(Integer::toString).collect(Collectors.joining(","));
    settings.freezing(text.isEmpty() ? "none" : text);
    return self();
  }

  /**
   * Stops training a hidden block when those before it are frozen and it has stopped learning: when its local training
   * error, or without a classifier of the labels its local loss, has not fallen by 1 % for two epochs.
   *
   * @return this
   */
  public Trainer freezeAutomatically() {
    settings.freezing(Freezing.AUTO);
    return self();
  }

  /**
   * The rule by which every block updates its parameters.
   *
   * @param rule {@link Optimizer#ADAM} by default
   * @param momentum of sgd, in [0, 1); 0 for the others
   * @param weightDecay L2 penalty; of adamw the part of a parameter that a step at rate 1 takes away
   * @return this
   * @throws LayerwiseException if the rule does not take such numbers
   */
  public Trainer optimizer(Optimizer rule, double momentum, double weightDecay) {
    return optimizer(rule.toString(), momentum, weightDecay);
  }

  /**
   * The same by the rule's name.
   *
   * @param rule as {@code config.json} has it: {@code sgd}
   * @param momentum of sgd, in [0, 1); 0 for the others
   * @param weightDecay L2 penalty; of adamw the part of a parameter that a step at rate 1 takes away
   * @return this
   * @throws LayerwiseException if there is no such rule, or it does not take such numbers
   */
  public Trainer optimizer(String rule, double momentum, double weightDecay) {
    settings.optimizer(rule, momentum, weightDecay);
    return self();
  }

  /**
   * How training images vary; by default as is usual for the data set.
   *
   * @param padding black pixels around an image before it is cropped at random to its own size; 0: no crop
   * @param mirrored whether half of the images are mirrored
   * @return this
   * @throws LayerwiseException if there cannot be so many
   */
  public Trainer augmentation(int padding, boolean mirrored) {
    settings.augmentation("crop_padding", padding, "horizontal_flip", mirrored);
    return self();
  }

  /**
   * Which training images are mirrored; by default as is usual for the data set.
   *
   * @param how {@code random}: each time with probability 1/2; {@code alternating}: half of them in odd epochs, the others
   *     in even ones; {@code none}
   * @return this
   * @throws LayerwiseException if there is no such way
   */
  public Trainer flip(String how) {
    settings.augmentation("flip", how);
    return self();
  }

  /**
   * How training images of {@link DataSet#imageFolder} are cropped: at random, to a part of their area, which is resized.
   *
   * @param leastArea the least such part, 0 to 1, 0.08 by default; 0: no random crop but the centre, as of test images
   * @return this
   * @throws LayerwiseException if it is out of its range
   */
  public Trainer cropScale(double leastArea) {
    settings.augmentation("crop_scale", leastArea);
    return self();
  }

  /**
   * Sets squares of every training image to the data's mean.
   *
   * @param squares per image; 0 (the default): none
   * @param side of each, in pixels
   * @return this
   * @throws LayerwiseException if a number is out of its range
   */
  public Trainer cutout(int squares, int side) {
    settings.augmentation("n_holes", squares, "length", squares == 0 ? 0 : side);
    return self();
  }

  /**
   * Any setting of training by its name in {@code config.json}: {@code "weight_decay"}.
   *
   * @param name of the setting
   * @param value of its type: an Integer, a Double, a Boolean, a String or a list
   * @return this
   * @throws LayerwiseException if it is out of its range
   * @throws IllegalArgumentException if there is no such setting, or it has another type
   */
  public Trainer setting(String name, Object value) {
    settings.any(name, value);
    return self();
  }

  /**
   * What all random numbers depend on.
   *
   * @param number 1 by default
   * @return this
   */
  public Trainer seed(long number) {
    settings.seed(number);
    return self();
  }

  /**
   * Where to compute.
   *
   * @param name {@code auto} (the default: the first GPU that works, otherwise the CPU), {@code cpu}, {@code cuda} or {@code
   *     reference}
   * @param count of threads, which decides the last bits; 0 (the default): one per core
   * @return this
   */
  public Trainer device(String name, int count) {
    return device(Device.of(name, count));
  }

  /**
   * Where and how to compute: the precision, too.
   *
   * @param device with its precision
   * @return this
   */
  public Trainer device(Device device) {
    settings.device(device.options());
    return self();
  }
}
