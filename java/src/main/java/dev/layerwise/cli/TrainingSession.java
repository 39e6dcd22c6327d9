package dev.layerwise.cli;

import dev.layerwise.data.DataSet;
import dev.layerwise.train.RunConfig;
import dev.layerwise.train.RunDirectory;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.Trainer;
import dev.layerwise.train.TrainingListener;
import dev.layerwise.train.TrainingResult;
import java.nio.file.Path;

/** Runs, one after the other, that can be stopped from another thread. */
final class TrainingSession {
  private Trainer trainer;
  private boolean stopRequested;

  /** Is told how a run begins, goes and ends. */
  interface Reporter extends TrainingListener {
    /**
     * Training is about to begin.
     *
     * @param epoch with which it begins, counted from 1; {@code null} if nothing is left to train
     */
    void started(RunConfig config, DataSet<?> images, Path folder, Integer epoch);

    /** Which engine did which operation, a line each; empty where fixed rules decide. */
    default void usedEngines(String choices) {}

    /** The run is finished, or was stopped and can be resumed. */
    void ended(TrainingResult result, Path folder);
  }

  /** Asks the run under way, and every later one, to stop after the step in hand. */
  synchronized void requestStop() {
    stopRequested = true;
    if (trainer != null) {
      trainer.requestStop();
    }
  }

  private synchronized void entrust(Trainer next) {
    trainer = next;
    if (stopRequested) {
      trainer.requestStop();
    }
  }

  /**
   * Trains until the run is finished or a stop is asked for.
   *
   * @param checkpoint where the run goes on from: a file or a run's folder; {@code null}: a new run
   */
  TrainingResult train(
      RunConfig config, Path checkpoint, DataSet<?> images, RunDirectory directory, SessionSettings settings,
      Reporter reporter) {
    try (Trainer run =
        checkpoint == null
            ? Trainer.start(config, images, directory)
            : Trainer.resume(checkpoint, config, images, directory)) {
      entrust(run);
      reporter.started(config, images, directory.path(), run.isOver() ? null : (Integer) run.epoch());
      TrainingResult result = run.run(settings, reporter);
      reporter.usedEngines(run.engineChoices());
      reporter.ended(result, directory.path());
      return result;
    }
  }
}
