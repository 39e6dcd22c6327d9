package dev.layerwise.api;

import dev.layerwise.train.TestMeasurement;
import java.util.List;

/**
 * How well a model does on test images. Errors are in percent.
 *
 * @param error of the output layer
 * @param loss mean cross-entropy of the output layer
 * @param top5Error share of the images whose class is not among the five likeliest; {@code null} for fewer than six classes
 * @param images that could be used
 * @param layers the hidden blocks with a loss of their own
 * @param classes every class, in the order of the labels
 * @param confusionMatrix row: true class, column: predicted class, entries: images; not copied
 */
public record Evaluation(
    double error, double loss, Double top5Error, int images, List<LayerError> layers, List<ClassScore> classes,
    int[][] confusionMatrix) {

  /**
   * How well a hidden block's own classifier does.
   *
   * @param name of the block
   * @param error of its local classifier, in percent; {@code null} if its loss has none
   */
  public record LayerError(String name, Double error) {}

  /**
   * How well a class is recognized.
   *
   * @param name of the class
   * @param images of the class
   * @param precision share of the images taken for the class that are of it, 0 to 1; NaN if no image was taken for it
   * @param recall share of the images of the class that are taken for it, 0 to 1; NaN if there are none
   */
  public record ClassScore(String name, int images, double precision, double recall) {}

  static Evaluation of(TestMeasurement measured) {
    var evaluation = measured.evaluation();
    return new Evaluation(
        measured.error(), measured.loss(), evaluation.top5Error(), measured.images(),
        measured.layers().stream().map(layer -> new LayerError(layer.name(), layer.localError())).toList(),
        evaluation.classScores().stream()
            .map(of -> new ClassScore(of.name(), of.images(), of.precision(), of.recall()))
            .toList(),
        evaluation.confusionMatrix());
  }
}
