package dev.layerwise.train;

/** Softmax, and what follows from it. */
final class Probabilities {
  private Probabilities() {}

  /**
   * Probabilities of classes.
   *
   * @param logits of several images
   * @param from where the image's begin
   */
  static double[] softmax(float[] logits, int from, int classes) {
    float largest = logits[from];
    for (int i = 1; i < classes; i++) {
      largest = Math.max(largest, logits[from + i]);
    }
    double[] probabilities = new double[classes];
    double sum = 0;
    for (int i = 0; i < classes; i++) {
      probabilities[i] = Math.exp(logits[from + i] - largest);
      sum += probabilities[i];
    }
    for (int i = 0; i < classes; i++) {
      probabilities[i] /= sum;
    }
    return probabilities;
  }

  /** Probabilities of classes; the logits, which are one image's, are divided by a temperature. */
  static double[] softmax(float[] logits, double temperature) {
    float largest = logits[largest(logits, 0, logits.length)];
    double[] probabilities = new double[logits.length];
    double sum = 0;
    for (int i = 0; i < logits.length; i++) {
      probabilities[i] = Math.exp(((double) logits[i] - largest) / temperature);
      sum += probabilities[i];
    }
    for (int i = 0; i < logits.length; i++) {
      probabilities[i] /= sum;
    }
    return probabilities;
  }

  /** Class of the first largest of an image's logits. */
  static int largest(float[] logits, int from, int classes) {
    int best = 0;
    for (int i = 1; i < classes; i++) {
      if (logits[from + i] > logits[from + best]) {
        best = i;
      }
    }
    return best;
  }

  /** Position of the first largest. */
  static int largest(double[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      if (values[i] > values[best]) {
        best = i;
      }
    }
    return best;
  }
}
