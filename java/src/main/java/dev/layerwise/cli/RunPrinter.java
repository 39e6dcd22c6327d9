package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSet;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelFile;
import dev.layerwise.train.EpochReport;
import dev.layerwise.train.RunConfig;
import dev.layerwise.train.TrainingConfig;
import dev.layerwise.train.TrainingResult;
import java.io.PrintWriter;
import java.nio.file.Path;

/** Prints how a run goes: results to stdout as text or JSON lines, the rest to stderr. */
final class RunPrinter implements TrainingSession.Reporter {
  private final PrintWriter out;
  private final PrintWriter err;
  private final boolean json;
  private final boolean verbose;
  private Path folder;

  RunPrinter(PrintWriter out, PrintWriter err, boolean json, boolean verbose) {
    this.out = out;
    this.err = err;
    this.json = json;
    this.verbose = verbose;
  }

  private record Done(
      @JsonProperty("test_error") Double testError, int epochs, double seconds, String model) {}

  @Override
  public void started(RunConfig config, DataSet<?> images, Path folder, int epoch) {
    this.folder = folder;
    ModelConfig model = config.model();
    TrainingConfig training = config.training();
    err.printf(
        "training %s with %s on %s (%d training and %d test images), %s in %s, %d threads%n",
        model.model(), model.backprop() ? "backprop" : model.loss(), images.info().title(), images.train().count(),
        images.test().count(), config.device().device(), config.device().precision(),
        config.device().threads());
    String what =
        epoch == 1 ? "writing the run"
            : epoch > training.epochs() ? "nothing is left to train of the run"
            : "continuing with epoch " + epoch + " of the run";
    err.printf("%s in %s%n", what, folder);
    err.flush();
  }

  @Override
  public void epochEnded(EpochReport report) {
    if (json) {
      JsonLines.print(out, "epoch", report);
    } else {
      printText(report);
    }
    if (out.checkError()) {
      throw new LayerwiseException(
          "nobody reads stdout any more; epoch " + report.epoch() + " is saved, continue with: layerwise train --resume "
              + folder);
    }
  }

  private void printText(EpochReport report) {
    out.printf(
        "epoch %d/%d  lr %.2e  train loss %.4f error %.2f %%  test loss %.4f error %.2f %%  %.0f images/s%n",
        report.epoch(), report.epochs(), report.lr(), report.trainLoss(), report.trainError(), report.testLoss(),
        report.testError(), report.imagesPerSecond());
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
      if (block.similarityLoss() != null || block.predictionLoss() != null) {
        out.println(line);
      }
    }
    out.flush();
  }

  @Override
  public void usedEngines(String choices) {
    if (verbose && !choices.isEmpty()) {
      err.printf("engines%n%s", choices.indent(2));
      err.flush();
    }
  }

  @Override
  public void ended(TrainingResult result, Path folder) {
    if (result.finished()) {
      done(result, folder.resolve(ModelFile.FILE_NAME));
    } else {
      stopped(result, folder);
    }
  }

  private void stopped(TrainingResult result, Path folder) {
    err.printf(
        "stopped in epoch %d; everything is saved. Continue with: layerwise train --resume %s%n",
        result.epochs() + 1, folder);
    err.flush();
  }

  private void done(TrainingResult result, Path model) {
    if (json) {
      JsonLines.print(out, "done", new Done(result.testError(), result.epochs(), result.seconds(), model.toString()));
    } else {
      out.printf(
          "done: test error %.2f %% after %d epochs in %.1f s%n", result.testError(), result.epochs(), result.seconds());
    }
    out.flush();
    err.printf("the model is in %s%n", model);
    err.flush();
  }
}
