package dev.layerwise.run;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;
import java.util.stream.Stream;

/**
 * The error and the cost of a network if each image stops at the first layer whose classifier is certain enough. The output
 * layer always answers.
 *
 * @param layers names of the layers that classify, in order; the last is the output layer
 * @param networkFlops forward operations of one image through the whole network, without local classifiers
 * @param points the curve, in the order of rising confidence
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record EarlyExits(List<String> layers, long networkFlops, List<Point> points) {
  /** The confidences of the curve. */
  public static final List<Double> CONFIDENCES = List.of(0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0);

  /** Those of the curve and another, {@code null} for none, in order. */
  public static List<Double> confidencesWith(Double another) {
    return Stream.concat(CONFIDENCES.stream(), Stream.ofNullable(another)).distinct().sorted().toList();
  }

  /** The point of the curve at one of its confidences. */
  public Point at(double confidence) {
    return points.stream().filter(point -> point.confidence() == confidence).findFirst().orElseThrow();
  }

  /** Copies the lists. */
  public EarlyExits {
    layers = List.copyOf(layers);
    points = List.copyOf(points);
  }

  /**
   * What one confidence gives.
   *
   * @param confidence softmax probability of a classifier's first choice, 0 to 1, with which an image stops
   * @param error in percent
   * @param meanFlops forward operations per image, those of the local classifiers on the way included
   * @param stopped for each layer the share of the images that stop there, 0 to 1; the array is shared with the caller
   */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  public record Point(double confidence, double error, double meanFlops, double[] stopped) {}
}
