package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What a trained network predicts of its test images, as {@code evaluation.json} holds it.
 *
 * @param dataset name of the data set
 * @param classNames in the order of the labels
 * @param confusionMatrix row: true class, column: predicted class, entries: images; the array is shared with the caller
 * @param mistakes those that the network was most certain of, the most certain one first
 * @param top5Error share of the images whose class is not among the five likeliest, in percent; {@code null} for fewer than
 *     six classes, and in files of versions that did not store it
 * @param earlyExits {@code null} without local classifiers, and in files of versions that did not store them
 * @param layerErrors of every layer that classifies, in order, the output layer last; {@code null} in files of versions that
 *     did not store them
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Evaluation(
    String dataset, List<String> classNames, int[][] confusionMatrix, List<Mistake> mistakes, Double top5Error,
    EarlyExits earlyExits, List<LayerError> layerErrors) {

  /** Name of the file in a run's folder. */
  public static final String FILE_NAME = "evaluation.json";

  /** Most mistakes that are kept. */
  public static final int MOST_MISTAKES = 24;

  /** Fewer classes have no top-5 error. */
  public static final int LEAST_CLASSES_FOR_TOP_5 = 6;

  /** Without what versions before top-5 errors and early exits did not store. */
  public Evaluation(String dataset, List<String> classNames, int[][] confusionMatrix, List<Mistake> mistakes) {
    this(dataset, classNames, confusionMatrix, mistakes, null, null, null);
  }

  /** Copies the lists. */
  public Evaluation {
    classNames = List.copyOf(classNames);
    mistakes = List.copyOf(mistakes);
    layerErrors = layerErrors == null ? null : List.copyOf(layerErrors);
  }

  /**
   * What a layer's own classifier gets wrong.
   *
   * @param layer its name
   * @param error of the test images, in percent
   */
  public record LayerError(String layer, double error) {}

  /**
   * How well a class is recognized.
   *
   * @param name of the class
   * @param images of the class
   * @param precision share of the images taken for the class that are of it, 0 to 1; NaN if no image was taken for it
   * @param recall share of the images of the class that are taken for it, 0 to 1; NaN if there are none
   */
  public record ClassScore(String name, int images, double precision, double recall) {}

  /** Precision and recall of every class, in the order of the labels. */
  public List<ClassScore> classScores() {
    return IntStream.range(0, classNames.size()).mapToObj(this::classScore).toList();
  }

  private ClassScore classScore(int label) {
    int images = IntStream.of(confusionMatrix[label]).sum();
    int taken = Stream.of(confusionMatrix).mapToInt(row -> row[label]).sum();
    double right = confusionMatrix[label][label];
    return new ClassScore(classNames.get(label), images, right / taken, right / images);
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
