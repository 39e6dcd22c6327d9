package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.ValidationSplit;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelFile;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.run.TrainingResult.Ending;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.train.EpochProgress;
import dev.layerwise.train.TrainingSession;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Function;

/** Prints a run's progress: results to stdout as text or JSON lines, everything else to stderr. */
final class RunPrinter implements TrainingSession.Reporter {
  private final PrintWriter out;
  private final PrintWriter err;
  /** The message at the first Ctrl-C. */
  static final String STOPPING = "stopping after the current step; press Ctrl-C again to stop at once without saving";

  static final Duration PROGRESS_INTERVAL = Duration.ofMillis(500);

  private final boolean json;
  private final boolean verbose;
  private final ProgressLine progress;
  private final Function<DeviceOptions, String> deviceInWords;
  private final boolean noExif;
  private Path folder;
  private RunConfig config;

  /**
   * A printer.
   *
   * @param verbose whether to print the engine chosen for each operation
   * @param progress shows the current epoch; {@code null} if stderr is not a terminal
   * @param deviceInWords says what is computed on
   * @param noExif whether the run was given --no-exif
   */
  RunPrinter(
      PrintWriter out, PrintWriter err, boolean json, boolean verbose, ProgressLine progress,
      Function<DeviceOptions, String> deviceInWords, boolean noExif) {
    this.out = out;
    this.err = err;
    this.json = json;
    this.verbose = verbose;
    this.progress = progress;
    this.deviceInWords = deviceInWords;
    this.noExif = noExif;
  }

  /** What is said of validation and of the best epoch is there only if the run has it. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Done(
      @JsonProperty("test_error") @JsonInclude(JsonInclude.Include.ALWAYS) Double testError, int epochs, double seconds,
      String model,
      @JsonProperty("ended_by") String endedBy,
      @JsonProperty("model_epoch") int modelEpoch,
      @JsonProperty("validation_error") Double validationError,
      @JsonProperty("best_epoch") Integer bestEpoch,
      @JsonProperty("best_epoch_validation_error") Double bestEpochValidationError,
      @JsonProperty("best_epoch_test_error") Double bestEpochTestError) {}

  /** A session ended before its run; {@code resume} is the value for {@code --resume}. */
  private record Stopped(String reason, int epochs, double seconds, String resume) {}

  @Override
  public void started(RunConfig config, DataSet<?> images, Path folder, Integer epoch, double done) {
    this.folder = folder;
    this.config = config;
    ModelConfig model = config.model();
    TrainingConfig training = config.training();
    err.printf(
        "training %s with %s on %s (%s), %s%n", model.name(), model.losses().name(), images.info().title(),
        counts(training, images), deviceInWords.apply(config.device()));
    String what =
        epoch == null ? "nothing left to train; the run is"
            : epoch == 1 && done == 0 ? "writing the run"
            : done == 0 ? String.format("continuing with epoch %d of the run", epoch)
            : String.format("continuing with epoch %d at %d %% of the run", epoch, (int) (100 * done));
    err.printf("%s in %s%n", what, folder);
    err.flush();
  }

  private static String counts(TrainingConfig training, DataSet<?> images) {
    ValidationSplit split = training.split(images.train());
    return training.batches().validates()
        ? String.format(
            "%d training, %d validation and %d test images", split.trained().length, split.heldOut().length,
            images.test().count())
        : String.format("%d training and %d test images", split.trained().length, images.test().count());
  }

  @Override
  public Duration progressInterval() {
    return progress == null ? null : PROGRESS_INTERVAL;
  }

  @Override
  public void progressed(EpochProgress epoch) {
    progress.show(epoch);
  }

  /** Removes the progress line, if there is one; from any thread. */
  void clearProgress() {
    if (progress != null) {
      progress.clear();
    }
  }

  /**
   * Reports a requested stop; from any thread.
   *
   * @param together whether other processes train with this one: the stop may be the launcher's, because one has ended
   */
  void stopping(boolean together) {
    clearProgress();
    err.println(
        !together ? STOPPING
            : folder == null ? "stopping, because the launcher or a signal asks for it"
            : "stopping after the current step; if another process has ended, this step cannot be done: continue from the"
                + " last checkpoint with: " + ResumeHint.command(folder, noExif));
    err.flush();
  }

  @Override
  public void epochEnded(EpochReport report) {
    clearProgress();
    if (json) {
      JsonLines.print(out, "epoch", report);
    } else {
      printText(report);
    }
    if (out.checkError()) {
      throw new LayerwiseException(
          StandardOutput.failure(out) + "; continue from the last checkpoint with: "
              + ResumeHint.command(folder, noExif));
    }
  }

  private void printText(EpochReport report) {
    int columns = Terminal.outputWidth();
    String epoch =
        String.format(
            "epoch %d/%d  lr %.2e  train loss %.4f error %.2f %%%s  test loss %.4f error %.2f %%  %.0f images/s",
            report.epoch(), report.epochs(), report.lr(), report.trainLoss(), report.trainError(),
            report.validationError() == null ? ""
                : String.format("  validation loss %.4f error %.2f %%", report.validationLoss(), report.validationError()),
            report.testLoss(), report.testError(), report.imagesPerSecond());
    out.println(Terminal.inRows(epoch, columns));
    for (EpochReport.BlockReport block : report.blocks()) {
      StringBuilder line = new StringBuilder(String.format("  %-22s", block.name()));
      if (block.similarityLoss() != null) {
        line.append(String.format("  sim %.5f", block.similarityLoss()));
      }
      if (block.predictionLoss() != null) {
        line.append(String.format("  pred %.5f", block.predictionLoss()));
      }
      if (block.unsupervisedLoss() != null) {
        line.append(String.format("  unsup %.5f", block.unsupervisedLoss()));
      }
      if (block.localError() != null) {
        line.append(String.format("  local error %.2f %%", block.localError()));
      }
      if (block.localTestError() != null) {
        line.append(String.format("  local test error %.2f %%", block.localTestError()));
      }
      if (block.frozen() != null) {
        line.append("  frozen");
      }
      if (block.similarityLoss() != null || block.predictionLoss() != null) {
        out.println(Terminal.inRows(line.toString(), columns));
      }
    }
    out.flush();
  }

  @Override
  public void usedEngines(String choices) {
    if (verbose && !choices.isEmpty()) {
      clearProgress();
      printEngines(err, choices);
    }
  }

  /** One line per operation with its engine. */
  static void printEngines(PrintWriter err, String choices) {
    err.printf("engines%n%s", choices.indent(2));
    err.flush();
  }

  @Override
  public void ended(TrainingResult result, Path folder) {
    clearProgress();
    if (result.finished()) {
      done(result, folder.resolve(ModelFile.FILE_NAME));
    } else {
      stopped(result, folder);
    }
  }

  private void stopped(TrainingResult result, Path folder) {
    boolean timeUp = result.ending() == Ending.TIME_UP;
    if (json) {
      JsonLines.print(
          out, "stopped",
          new Stopped(timeUp ? "time-limit" : "signal", result.epochs(), result.seconds(), folder.toString()));
    }
    err.printf(
        "%s in epoch %d; everything is saved. Continue with: %s%n", timeUp ? "time limit reached" : "stopped",
        result.epochs() + 1, ResumeHint.command(folder, noExif));
    err.flush();
  }

  private void done(TrainingResult result, Path model) {
    boolean early = result.ending() == Ending.NO_IMPROVEMENT;
    boolean validated = result.validationError() != null;
    boolean keepsBest = config.training().keepsBest() && result.bestEpoch() != null;
    if (json) {
      JsonLines.print(
          out, "done",
          new Done(
              result.testError(), result.epochs(), result.seconds(), model.toString(), early ? "patience" : "epochs",
              result.modelEpoch(), result.validationError(), keepsBest ? result.bestEpoch() : null,
              result.bestValidationError(), keepsBest ? result.bestTestError() : null));
    } else {
      out.printf(
          "done: %stest error %.2f %% after %d epochs in %.1f s%n",
          validated ? String.format("validation error %.2f %%, ", result.validationError()) : "", result.testError(),
          result.epochs(), result.seconds());
      if (keepsBest) {
        out.printf(
            "best epoch by %s error: %d, with %stest error %.2f %%%n", validated ? "validation" : "test",
            result.bestEpoch(), validated ? String.format("validation error %.2f %%, ", result.bestValidationError()) : "",
            result.bestTestError());
      }
    }
    out.flush();
    if (early) {
      err.printf(
          "ended by --patience: the %s error has not improved since epoch %d, which had %.2f %%%n",
          validated ? "validation" : "test", result.bestEpoch(),
          validated ? result.bestValidationError() : result.bestTestError());
    }
    err.printf("the model%s is in %s%n", keepsBest ? " of epoch " + result.modelEpoch() : "", model);
    err.flush();
  }
}
