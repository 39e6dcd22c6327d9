package dev.layerwise.sweep;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.recipe.Statistics;
import java.util.List;
import java.util.Map;

/**
 * What the runs of one combination gave. Errors are in percent.
 *
 * @param settings the combination
 * @param folder of the runs, in that of the sweep
 * @param seeds of the finished runs, at least one; the lists after it go with it
 * @param testErrors of the runs' models: those of the best epoch where they are kept, otherwise of the last
 * @param validationErrors likewise; {@code null} if a run held no images out
 * @param runSeconds time that each run took
 * @param epochs of the longest
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record SweepRow(
    Map<String, String> settings, String folder, List<Long> seeds, List<Double> testErrors,
    @JsonInclude(JsonInclude.Include.NON_NULL) List<Double> validationErrors, List<Double> runSeconds, int epochs) {

  /** Mean of the test errors. */
  @JsonProperty("test_mean")
  public double testMean() {
    return Statistics.mean(testErrors);
  }

  /** Standard deviation of the test errors (n − 1 in the denominator); {@code null} with fewer than two runs. */
  @JsonProperty("test_standard_deviation")
  public Double testDeviation() {
    return Statistics.standardDeviation(testErrors);
  }

  /** Mean of the validation errors; {@code null} without them. */
  @JsonProperty("validation_mean")
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public Double validationMean() {
    return validationErrors == null ? null : (Double) Statistics.mean(validationErrors);
  }

  /** Their standard deviation; {@code null} without them, or with fewer than two runs. */
  @JsonProperty("validation_standard_deviation")
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public Double validationDeviation() {
    return validationErrors == null ? null : Statistics.standardDeviation(validationErrors);
  }

  double seconds() {
    return runSeconds.stream().mapToDouble(Double::doubleValue).sum();
  }
}
