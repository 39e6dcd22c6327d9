package dev.layerwise.train;

import java.util.List;

/**
 * Which of a network's classifiers answer, as images that were held out have decided it.
 *
 * @param kind one classifier, or several
 * @param layers names of the layers whose classifiers answer, in order
 * @param validationError of this choice on the images held out, in percent
 * @param validationImages how many these were
 */
public record ClassifierChoice(Kind kind, List<String> layers, double validationError, int validationImages) {
  /** What is chosen among. */
  public enum Kind {
    /** All classifiers, the output layer's included. Of equally good ones the last is chosen. */
    BEST,
    /** The means of the probabilities of the last 1, 2, … classifiers. Of equally good ones the shortest is chosen. */
    AVERAGE
  }
}
