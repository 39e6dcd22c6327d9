package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.layerwise.data.DataSet;
import dev.layerwise.files.FileException;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Reproduction;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.train.EpochProgress;
import dev.layerwise.train.TrainingSession;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Supplier;

/** Prints a reproduction: the table or JSON lines to stdout, the progress of the runs to stderr. */
final class ReproductionPrinter extends TablePrinter implements Reproduction.Listener {
  private final boolean verbose;
  private final Supplier<ProgressLine> progressLine;
  /** Of the run under way; {@code null}: none. */
  private volatile ProgressLine progress;

  /**
   * A printer.
   *
   * @param verbose whether to print the engine chosen for each operation
   * @param progressLine makes the line that shows a run's current epoch; {@code null} if stderr is not a terminal
   */
  ReproductionPrinter(
      PrintWriter out, PrintWriter err, boolean json, boolean verbose, Supplier<ProgressLine> progressLine) {
    super(out, err, json);
    this.verbose = verbose;
    this.progressLine = progressLine;
  }

  private record Epoch(
      @JsonProperty("preset") String preset, @JsonProperty("seed") long seed, @JsonUnwrapped EpochReport report) {}

  private record Run(
      @JsonProperty("preset") String preset,
      @JsonProperty("seed") long seed,
      @JsonProperty("test_error") Double testError,
      @JsonProperty("published_error") Double publishedError,
      @JsonProperty("epochs") int epochs,
      @JsonProperty("seconds") double seconds) {}

  /** The printer of one run. */
  TrainingSession.Reporter of(Preset preset, long seed) {
    return new TrainingSession.Reporter() {
      @Override
      public Duration progressInterval() {
        return progressLine == null ? null : RunPrinter.PROGRESS_INTERVAL;
      }

      @Override
      public void progressed(EpochProgress epoch) {
        progress.show(epoch);
      }

      @Override
      public void started(RunConfig config, DataSet<?> images, Path folder, Integer epoch, double done) {
        String how =
            epoch == null ? "writing its result"
                : epoch == 1 && done == 0 ? "training"
                : "continuing with epoch " + epoch;
        say("%s, seed %d: %s in %s", preset.name(), seed, how, folder);
        progress = progressLine == null ? null : progressLine.get();
      }

      @Override
      public void epochEnded(EpochReport report) {
        if (json) {
          JsonLines.print(out, "epoch", new Epoch(preset.name(), seed, report));
        } else {
          say("  epoch %d/%d: test error %.2f %%, %.0f images/s", report.epoch(), report.epochs(), report.testError(),
              report.imagesPerSecond());
        }
      }

      @Override
      public void usedEngines(String choices) {
        if (verbose && !choices.isEmpty()) {
          clearProgress();
          RunPrinter.printEngines(err, choices);
        }
      }

      @Override
      public void ended(TrainingResult result, Path folder) {
        if (result.finished()) {
          finished(preset, seed, result);
        }
      }
    };
  }

  @Override
  public void kept(Preset preset, long seed, TrainingResult result) {
    say("%s, seed %d: already finished, test error %.2f %%", preset.name(), seed, result.testError());
    finished(preset, seed, result);
  }

  @Override
  public void leftOut(Preset preset, long seed, FileException reason) {
    say("%s, seed %d: not in the table: %s", preset.name(), seed, reason.getMessage());
  }

  private void finished(Preset preset, long seed, TrainingResult result) {
    if (json) {
      JsonLines.print(
          out, "run",
          new Run(preset.name(), seed, result.testError(), preset.publishedError(), result.epochs(), result.seconds()));
    }
  }

  /** Removes the progress line, if there is one; from any thread. */
  void clearProgress() {
    ProgressLine shown = progress;
    if (shown != null) {
      shown.clear();
    }
  }

  @Override
  void say(String format, Object... values) {
    clearProgress();
    super.say(format, values);
  }
}
