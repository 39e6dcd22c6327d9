package dev.layerwise.data;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Which training images are trained on, and which are held out to measure on. Leave the arrays as they are.
 *
 * @param trained numbers of the images to train on, ascending
 * @param heldOut numbers of the others, ascending; empty without validation
 */
public record ValidationSplit(int[] trained, int[] heldOut) {
  /** Number of an order that no epoch has: epochs are counted from 1. */
  private static final int NO_EPOCH = 0;

  /** All of so many images are trained on. */
  public static ValidationSplit none(int images) {
    return new ValidationSplit(IntStream.range(0, images).toArray(), new int[0]);
  }

  /**
   * Holds out a part of every class, drawn at random. Image k of a line (counted from 1) is held out if
   * round(k · fraction) is larger than round((k − 1) · fraction); the line has one class after the other, each class
   * shuffled by the seed. So round(N · fraction) of N images are held out, and of the n images of a class
   * n · fraction, give or take less than one. The same arguments give the same split on every machine and Java version.
   *
   * @param labels one class number per image, 0 to classes − 1
   * @param fraction above 0 and below 1
   * @param seed of the run
   * @throws DataException if the split would leave nothing on one side
   */
  public static ValidationSplit of(int[] labels, int classes, double fraction, long seed) {
    long count = Math.round(labels.length * fraction);
    if (count == 0 || count == labels.length) {
      throw new DataException(
          "a validation fraction of " + fraction + " of " + labels.length + " training images leaves no image "
              + (count == 0 ? "to validate on" : "to train on") + "; choose a " + (count == 0 ? "larger" : "smaller")
              + " one");
    }
    boolean[] held = new boolean[labels.length];
    int place = 0;
    for (int image : byClass(labels, classes, seed)) {
      held[image] = Math.round((place + 1) * fraction) > Math.round(place * fraction);
      place++;
    }
    return new ValidationSplit(
        IntStream.range(0, labels.length).filter(image -> !held[image]).toArray(),
        IntStream.range(0, labels.length).filter(image -> held[image]).toArray());
  }

  /** All images, one class after the other; within a class, in the order of a shuffle of all. */
  private static int[] byClass(int[] labels, int classes, long seed) {
    int[] next = new int[classes + 1];
    for (int label : labels) {
      next[label + 1]++;
    }
    Arrays.parallelPrefix(next, Integer::sum);
    int[] line = new int[labels.length];
    for (int image : EpochOrder.shuffled(labels.length, seed, NO_EPOCH)) {
      line[next[labels[image]]++] = image;
    }
    return line;
  }
}
