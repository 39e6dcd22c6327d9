package dev.layerwise.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileErrors;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.MetricsFile;
import dev.layerwise.run.RunDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * A run in one line. Errors are in percent; what is {@code null} is not known.
 *
 * @param name its folder as seen from the folder that was searched
 * @param folder where it is
 * @param state {@code finished}, {@code running} or {@code stopped}
 * @param epoch the last finished one; 0: none
 * @param epochs asked for
 * @param bestTestError after the best epoch: that of the smallest validation error or, without images held out, of the
 *     smallest test error
 * @param lastTestError after the last epoch
 * @param validationError after the best epoch
 * @param seconds spent in training
 * @param date when its last epoch ended or, before the first, when it began: ISO 8601, in UTC
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record RunSummary(
    String name, String folder, String state, String dataset, String model, String loss, int epoch, Integer epochs,
    Double bestTestError, Double lastTestError, Double validationError, Double seconds, String date) {

  /**
   * Reads a run.
   *
   * @param searched the folder in which the run was found
   * @throws LayerwiseException if the run is damaged
   */
  public static RunSummary read(Path folder, Path searched) {
    String relative = searched.relativize(folder).toString();
    String name = relative.isEmpty() ? String.valueOf(folder.toAbsolutePath().normalize().getFileName()) : relative;
    Run run = RunReader.read(folder, name);
    Optional<EpochReport> last = run.last();
    Optional<EpochReport> best = run.best();
    JsonNode epochs = run.config().path("training").path("epochs");
    return new RunSummary(
        name, folder.toString(),
        RunDirectory.isInUse(folder) ? "running" : run.isFinished() ? "finished" : "stopped",
        run.setting("training", "dataset"), run.setting("model", "model"), run.loss(),
        last.map(EpochReport::epoch).orElse(0), epochs.isInt() ? epochs.asInt() : null,
        best.map(EpochReport::testError).orElse(null), last.map(EpochReport::testError).orElse(null),
        best.map(EpochReport::validationError).orElse(null), last.map(EpochReport::seconds).orElse(null), date(folder));
  }

  /** The time spent in training: 12.3 s, 4 min 05 s, 2 h 07 min, or a dash. */
  public String timeInWords() {
    return Numbers.duration(seconds == null ? Double.NaN : seconds);
  }

  private static String date(Path folder) {
    Path metrics = folder.resolve(MetricsFile.NAME);
    Path file = Files.exists(metrics) ? metrics : folder.resolve(RunDirectory.CONFIG);
    try {
      return Files.getLastModifiedTime(file).toInstant().truncatedTo(ChronoUnit.SECONDS).toString();
    } catch (IOException e) {
      throw new LayerwiseException("cannot read " + file + " (" + FileErrors.reason(e) + ")", e);
    }
  }
}
