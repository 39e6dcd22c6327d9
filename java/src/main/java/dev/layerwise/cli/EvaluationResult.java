package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.run.EarlyExits;
import dev.layerwise.run.Evaluation.ClassScore;
import dev.layerwise.train.ClassifierChoice;
import dev.layerwise.train.ImageLogits;
import dev.layerwise.train.TemperatureScaling;
import dev.layerwise.train.TestMeasurement;
import dev.layerwise.train.TestTimeAugmentation;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * What {@code evaluate} prints.
 *
 * @param top5Error {@code null} for fewer than six classes
 * @param confusionMatrix row: true class, column: predicted class, entries: images
 * @param classes precision and recall of each
 * @param classifier of a choice of classifiers; {@code null}: none was asked for
 * @param earlyExit at the confidence that was asked for; {@code null}: none was
 * @param tta of test-time augmentation; {@code null}: none was asked for
 * @param earlyExits {@code null} without local classifiers
 * @param calibration {@code null}: it was not asked for
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@JsonInclude(JsonInclude.Include.NON_NULL)
record EvaluationResult(
    double testError, Double top5Error, double testLoss, int images, String device, String precision, int threads,
    double seconds, List<TestMeasurement.LayerError> layers, int[][] confusionMatrix, List<ClassScore> classes, Chosen classifier,
    EarlyExits.Point earlyExit, Augmented tta, EarlyExits earlyExits, Calibration calibration) {
  /** More classes than these are not all listed. */
  private static final int MOST_CLASSES = 20;

  private static final int WORST_CLASSES = 10;
  private static final int WORST_PAIRS = 10;

  /** A confusion matrix with longer lines is not printed. */
  private static final int WIDEST_MATRIX = 120;

  /** The test error of classifiers that were chosen on images held out; the errors are in percent. */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  record Chosen(String kind, List<String> layers, double testError, double validationError, int validationImages) {
    static Chosen of(ClassifierChoice choice, double testError) {
      return new Chosen(
          choice.kind().name().toLowerCase(Locale.ROOT), choice.layers(), testError, choice.validationError(),
          choice.validationImages());
    }

    void print(PrintWriter out) {
      String which =
          kind.equals("best") ? "best classifier, " + layers.get(0)
              : layers.size() == 1 ? "mean of the last classifier, " + layers.get(0)
              : String.format("mean of the last %d classifiers, %s to %s", layers.size(), layers.get(0),
                  layers.get(layers.size() - 1));
      out.printf(
          "test error of the %s: %.2f %% (chosen on %d training images with an error of %.2f %%)%n", which, testError,
          validationImages, validationError);
    }
  }

  /** The test error of the mean over views of each image, in percent. */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  record Augmented(String kind, int views, double testError) {
    Augmented(TestTimeAugmentation.Kind kind, int views, double testError) {
      this(kind.name().toLowerCase(Locale.ROOT).replace('_', '-'), views, testError);
    }
  }

  /**
   * Calibration by temperature.
   *
   * @param validationImages on which it was fitted
   * @param before on the test images, with the network's own logits
   * @param after on the same, with the logits divided by the temperature
   */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  record Calibration(
      double temperature, int validationImages, TemperatureScaling.Quality before, TemperatureScaling.Quality after) {
    static Calibration of(double temperature, int validationImages, List<ImageLogits.Row> test) {
      return new Calibration(
          temperature, validationImages, TemperatureScaling.measure(test, 1),
          TemperatureScaling.measure(test, temperature));
    }

    void print(PrintWriter out) {
      out.printf("temperature %.4f (fitted to %d training images)%n", temperature, validationImages);
      print(out, "before", before);
      print(out, "after", after);
    }

    private static void print(PrintWriter out, String when, TemperatureScaling.Quality quality) {
      out.printf(
          "  %-22s  negative log-likelihood %.4f  expected calibration error %.2f %%%n", when,
          quality.negativeLogLikelihood(), quality.expectedCalibrationError());
    }
  }

  /** Prints it as text. */
  void print(PrintWriter out, DataSetInfo data) {
    out.printf("test error %.2f %% (loss %.4f) on %d images of %s%n", testError, testLoss, images, data.title());
    if (top5Error != null) {
      out.printf("top-5 error %.2f %%%n", top5Error);
    }
    for (TestMeasurement.LayerError layer : layers) {
      out.printf(
          "  %-22s  %s%n", layer.name(),
          layer.localError() == null ? "no local classifier" : String.format("local error %.2f %%", layer.localError()));
    }
    if (classifier != null) {
      classifier.print(out);
    }
    if (earlyExit != null) {
      printEarlyExit(out);
    }
    if (tta != null) {
      out.printf(
          "test error with test-time augmentation (%s, %d views): %.2f %%%n", tta.kind(), tta.views(), tta.testError());
    }
    if (calibration != null) {
      calibration.print(out);
    }
    List<String> names = data.classNames();
    int widest = names.stream().mapToInt(String::length).max().orElse(1);
    if (7 + widest + 6 * names.size() <= WIDEST_MATRIX) {
      printConfusions(out, names, widest);
    } else {
      printWorstPairs(out, names, widest);
    }
    printClasses(out, widest);
    out.flush();
  }

  private void printEarlyExit(PrintWriter out) {
    out.printf(
        "test error with early exits at a confidence of %s: %.2f %%, with %.4f MFLOP per image on average (%.1f %% of the"
            + " network's %.4f)%n",
        earlyExit.confidence(), earlyExit.error(), earlyExit.meanFlops() / 1e6,
        100 * earlyExit.meanFlops() / earlyExits.networkFlops(), earlyExits.networkFlops() / 1e6);
    for (int i = 0; i < earlyExit.stopped().length; i++) {
      out.printf("  %-22s  %.2f %% of the images stop%n", earlyExits.layers().get(i), 100 * earlyExit.stopped()[i]);
    }
  }

  private void printConfusions(PrintWriter out, List<String> names, int widest) {
    out.printf("%nconfusion matrix: one row per true class, one column per predicted class%n");
    for (int row = 0; row < names.size(); row++) {
      StringBuilder line = new StringBuilder(String.format("  %3d %-" + widest + "s ", row, names.get(row)));
      for (int count : confusionMatrix[row]) {
        line.append(String.format(" %5d", count));
      }
      out.println(line);
    }
  }

  private void printWorstPairs(PrintWriter out, List<String> names, int widest) {
    record Pair(int right, int predicted, int images) {}
    List<Pair> pairs = new ArrayList<>();
    for (int right = 0; right < names.size(); right++) {
      for (int predicted = 0; predicted < names.size(); predicted++) {
        if (right != predicted && confusionMatrix[right][predicted] > 0) {
          pairs.add(new Pair(right, predicted, confusionMatrix[right][predicted]));
        }
      }
    }
    out.printf("%nmost frequent mistakes: true class, predicted class, images (--confusion FILE has all of them)%n");
    pairs.stream().sorted(Comparator.comparingInt(Pair::images).reversed()).limit(WORST_PAIRS).forEach(
        pair -> out.printf(
            "  %-" + widest + "s  %-" + widest + "s  %5d%n", names.get(pair.right()), names.get(pair.predicted()), pair.images()));
  }

  private void printClasses(PrintWriter out, int widest) {
    Stream<ClassScore> shown = classes.stream();
    if (classes.size() <= MOST_CLASSES) {
      out.printf("%nprecision and recall of each class, in percent%n");
    } else {
      out.printf(
          "%nprecision and recall, in percent, of the %d of %d classes with the lowest recall%n", WORST_CLASSES,
          classes.size());
      shown = shown.filter(score -> score.images() > 0)
          .sorted(Comparator.comparingDouble(ClassScore::recall)).limit(WORST_CLASSES);
    }
    String row = "  %-" + widest + "s  %6s  %6s%n";
    shown.forEach(
        score -> out.printf(row, score.name(), percent(score.precision()), percent(score.recall())));
  }

  private static String percent(double share) {
    return Double.isNaN(share) ? "–" : String.format("%.2f", 100 * share);
  }
}
