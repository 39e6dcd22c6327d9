package dev.layerwise.train;

import dev.layerwise.data.DataSet;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.TrainingResult;
import java.nio.file.Path;
import java.util.List;

/** Runs, one after the other, that can be stopped from another thread. */
public final class TrainingSession {
  private final Communicator communicator;
  private TrainingRun running;
  private boolean stopRequested;

  /** Is told how a run begins, goes and ends. */
  public interface Reporter extends TrainingListener {
    /** What was taken of a file's weights, see {@link TrainingRun#weightSummary}; nothing if the run starts without. */
    default void tookWeights(List<String> summary) {}

    /**
     * Training is about to begin.
     *
     * @param epoch with which it begins, counted from 1; {@code null} if nothing is left to train
     * @param done how much of that epoch has been trained before, from 0 to 1
     */
    void started(RunConfig config, DataSet<?> images, Path folder, Integer epoch, double done);

    /** Which engine did which operation, a line each; empty where fixed rules decide. */
    default void usedEngines(String choices) {}

    /** The run is finished, or was stopped and can be resumed. */
    void ended(TrainingResult result, Path folder);
  }

  /** Runs that these processes train together. */
  public TrainingSession(Communicator communicator) {
    this.communicator = communicator;
  }

  /** Asks the run under way, and every later one, to stop after the step in hand. */
  public synchronized void requestStop() {
    stopRequested = true;
    if (running != null) {
      running.requestStop();
    }
  }

  private synchronized void entrust(TrainingRun next) {
    running = next;
    if (stopRequested) {
      running.requestStop();
    }
  }

  /**
   * Trains until the run is finished or a stop is asked for.
   *
   * @param context opened with the configuration's device and seed
   * @param directory {@code null} in all processes but the first, which alone is told by the reporter how it goes
   * @param checkpoint where the run goes on from: a file or a run's folder; {@code null}: a new run
   */
  public TrainingResult train(
      NativeContext context, RunConfig config, Path checkpoint, DataSet<?> images, RunDirectory directory,
      SessionSettings settings, Reporter reporter) {
    try (TrainingRun run =
        checkpoint == null
            ? TrainingRun.start(context, config, images, directory, communicator)
            : TrainingRun.resume(context, checkpoint, config, images, directory, communicator)) {
      entrust(run);
      if (communicator.isFirst()) {
        reporter.tookWeights(run.weightSummary());
        reporter.started(config, images, directory.path(), run.isOver() ? null : (Integer) run.epoch(), run.epochDone());
      }
      TrainingResult result = run.run(settings, reporter);
      if (communicator.isFirst()) {
        reporter.usedEngines(run.engineChoices());
        reporter.ended(result, directory.path());
      }
      return result;
    }
  }
}
