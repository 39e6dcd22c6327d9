package dev.layerwise.recipe;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;

/**
 * What repeated runs of one recipe gave. Errors are in percent.
 *
 * @param preset the recipe's name
 * @param publishedError test error that was published; {@code null} for none
 * @param seeds of the runs, at least one; the lists after it go with it
 * @param testErrors final test error of each run
 * @param runSeconds time that each run took, evaluation included
 * @param epochs of each run
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record Measurement(
    String preset, Double publishedError, List<Long> seeds, List<Double> testErrors, List<Double> runSeconds,
    int epochs) {

  /** Mean of the test errors. */
  @JsonProperty("mean")
  public double mean() {
    return Statistics.mean(testErrors);
  }

  /** Standard deviation of the test errors (n − 1 in the denominator); {@code null} with fewer than two runs. */
  @JsonProperty("standard_deviation")
  public Double standardDeviation() {
    return Statistics.standardDeviation(testErrors);
  }

  /** Time of all runs together. */
  @JsonProperty("seconds")
  public double seconds() {
    return runSeconds.stream().mapToDouble(Double::doubleValue).sum();
  }
}
