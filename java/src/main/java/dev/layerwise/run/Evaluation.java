package dev.layerwise.run;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;

/**
 * What a trained network predicts of its test images, as {@code evaluation.json} holds it.
 *
 * @param dataset name of the data set
 * @param classNames in the order of the labels
 * @param confusionMatrix row: true class, column: predicted class, entries: images; the array is shared with the caller
 * @param mistakes those that the network was most certain of, the most certain one first
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record Evaluation(
    String dataset, List<String> classNames, int[][] confusionMatrix, List<Mistake> mistakes) {

  /** Name of the file in a run's folder. */
  public static final String FILE_NAME = "evaluation.json";

  /** Most mistakes that are kept. */
  public static final int MOST_MISTAKES = 24;

  /** Copies the lists. */
  public Evaluation {
    classNames = List.copyOf(classNames);
    mistakes = List.copyOf(mistakes);
  }

  /**
   * A test image that was taken for another class.
   *
   * @param image counted from 0 in the order of the test set, images left out that could not be used
   * @param label true class
   * @param predicted the class that it was taken for
   * @param probability that the network gave this class, 0 to 1
   * @param png the image as the network saw it, scaled down where it is large; the array is shared with the caller
   */
  public record Mistake(int image, int label, int predicted, double probability, byte[] png) {
    /** The same with another number of the image. */
    public Mistake numbered(int other) {
      return new Mistake(other, label, predicted, probability, png);
    }
  }
}
