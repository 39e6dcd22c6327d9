package dev.layerwise.train;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.LayerwiseException;
import java.util.ArrayList;
import java.util.List;

/**
 * Calibration by temperature (Guo et al. 2017, "On Calibration of Modern Neural Networks"): all logits are divided by one
 * number, so that probabilities are right more often; which class is the likeliest stays as it is.
 */
public final class TemperatureScaling {
  /** Bins of the expected calibration error, as in the paper. */
  private static final int BINS = 15;

  /** Temperatures from 1/100 to 100 are tried. */
  private static final double MOST = 100;

  /** Halvings of the range of log temperature, until doubles no longer tell its ends apart. */
  private static final int HALVINGS = 60;

  private TemperatureScaling() {}

  /**
   * How well a network's probabilities fit what is true.
   *
   * @param negativeLogLikelihood mean over the images, natural logarithm
   * @param expectedCalibrationError in percent: the mean difference between a prediction's probability and how often it is
   *     right, over 15 bins of equal width, weighted by the images in each
   */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  public record Quality(double negativeLogLikelihood, double expectedCalibrationError) {}

  /** What the images of all processes say; all processes call it. */
  public static List<ImageLogits.Row> rows(ImageLogits images, Communicator processes) {
    List<ImageLogits.Row> rows = new ArrayList<>();
    images.forEach(processes, rows::add);
    return rows;
  }

  /**
   * The temperature with the least negative log-likelihood. That is a convex function of the temperature's inverse, so
   * halving finds where its derivative is 0.
   *
   * @param heldOut images that the network was not trained on
   * @throws LayerwiseException if there is none, as for images that the network makes no mistake on
   */
  public static double fit(List<ImageLogits.Row> heldOut) {
    double low = -Math.log(MOST);
    double high = Math.log(MOST);
    if (slope(heldOut, Math.exp(low)) >= 0 || slope(heldOut, Math.exp(high)) <= 0) {
      throw new LayerwiseException(
          "no temperature from 0.01 to 100 fits the " + heldOut.size() + " images held out"
              + (heldOut.stream().allMatch(row -> row.predicted() == row.label())
                  ? ": the network makes no mistake on them; hold out other images, or more" : ""));
    }
    for (int i = 0; i < HALVINGS; i++) {
      double middle = (low + high) / 2;
      if (slope(heldOut, Math.exp(middle)) < 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return Math.exp((low + high) / 2);
  }

  /** Of the sign of the negative log-likelihood's derivative by the temperature: true logit minus expected logit. */
  private static double slope(List<ImageLogits.Row> rows, double temperature) {
    double sum = 0;
    for (ImageLogits.Row row : rows) {
      double[] probabilities = row.probabilities(temperature);
      for (int i = 0; i < probabilities.length; i++) {
        sum += probabilities[i] * ((double) row.logits()[row.label()] - row.logits()[i]);
      }
    }
    return sum;
  }

  /** Measures the probabilities with the logits divided by a temperature. */
  public static Quality measure(List<ImageLogits.Row> rows, double temperature) {
    double loss = 0;
    double[] difference = new double[BINS]; // sum of probabilities, minus right predictions
    for (ImageLogits.Row row : rows) {
      double[] probabilities = row.probabilities(temperature);
      double probability = probabilities[row.predicted()];
      int bin = Math.max(0, (int) Math.ceil(probability * BINS) - 1); // a bin has its upper end
      difference[bin] += probability - (row.predicted() == row.label() ? 1 : 0);
      loss += row.negativeLogLikelihood(temperature);
    }
    double error = 0;
    for (double of : difference) {
      error += Math.abs(of);
    }
    return new Quality(loss / rows.size(), 100 * error / rows.size());
  }
}
