package dev.layerwise.sweep;

import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileException;
import dev.layerwise.nativelib.NativeLibrary;
import dev.layerwise.recipe.EarlierRuns;
import dev.layerwise.recipe.TableFiles;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.settings.SettingsException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;

/** Runs of many combinations with several seeds, each in a folder of its own, and the table of what they gave. */
public final class Sweep {
  private final Path folder;
  private final String title;
  private final List<Run> runs;
  private final Map<Run, TrainingResult> finished = new LinkedHashMap<>();
  private final Map<Run, String> failed = new LinkedHashMap<>();

  /**
   * A run to be done.
   *
   * @param config with the device as it will be used
   * @param home its folder
   */
  public record Run(Combination combination, long seed, RunConfig config, Path home) {
    /** The test error of the model that the run leaves: that of the best epoch where it keeps it, otherwise of the last. */
    public Double testError(TrainingResult result) {
      return config.training().keepsBest() ? result.bestTestError() : result.testError();
    }

    /** Likewise on the images held out; {@code null} without them. */
    public Double validationError(TrainingResult result) {
      return config.training().keepsBest() ? result.bestValidationError() : result.validationError();
    }

    /** "lr=1e-3, beta=0.9, seed 1". */
    @Override
    public String toString() {
      return combination + ", seed " + seed;
    }
  }

  /**
   * How a run's process has ended.
   *
   * @param stopped whether it was told to stop; it can then be resumed
   * @param failure why it failed; {@code null}: it did not
   */
  public record Ended(boolean stopped, String failure) {}

  /** Trains the runs. */
  @FunctionalInterface
  public interface Training {
    /**
     * Trains a run to its end, or until a stop is asked for. Several threads may ask for several runs.
     *
     * @param resumes whether an earlier command has begun it
     */
    Ended train(Run run, boolean resumes);
  }

  /** Is told of the runs, one at a time. */
  public interface Listener {
    /** An earlier command has finished the run. */
    void kept(Run run, TrainingResult result);

    /** The run has come to its end. */
    void finished(Run run, TrainingResult result);

    /** The run has failed. */
    void failed(Run run, String reason);
  }

  /**
   * Runs to be done in this order.
   *
   * @param folder of the table and, below it, of the runs
   * @param title what is trained
   */
  public Sweep(Path folder, String title, List<Run> runs) {
    this.folder = folder;
    this.title = title;
    this.runs = List.copyOf(runs);
  }

  /**
   * Finishes what is not yet finished, and writes the table after each run. A run that fails is left behind.
   *
   * @param jobs how many run at a time
   * @param stopping whether a stop was asked for
   * @return whether all runs have finished or failed; otherwise it was stopped
   * @throws SettingsException before the first run begins, if a folder holds a run of another configuration
   */
  public boolean run(int jobs, BooleanSupplier stopping, Training training, Listener listener) {
    List<Run> open = new ArrayList<>();
    for (Run run : runs) {
      if (isOpen(run, listener)) {
        open.add(run);
      }
    }
    ExecutorService pool = Executors.newFixedThreadPool(jobs);
    try {
      List<Future<Boolean>> ends =
          open.stream().map(run -> pool.submit(() -> !stopping.getAsBoolean() && train(run, training, listener))).toList();
      boolean all = true;
      for (Future<Boolean> end : ends) {
        all &= end.get();
      }
      writeTable();
      return all;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException failure ? failure : new IllegalStateException(e.getCause());
    } finally {
      pool.shutdownNow();
    }
  }

  /** Whether there is something left to train; damaged runs fail. */
  private boolean isOpen(Run run, Listener listener) {
    if (!RunDirectory.holdsModel(run.home()) && !RunDirectory.holdsCheckpoint(run.home())) {
      return true;
    }
    try {
      EarlierRuns.requireCheckpoint(run.home());
      RecordedRun recorded = RecordedRun.read(run.home());
      EarlierRuns.requireSame(run.home(), comparable(recorded.config()), comparable(run.config()));
      boolean done = recorded.result().finished() && RunDirectory.holdsModel(run.home());
      if (done) {
        finished.put(run, recorded.result());
        listener.kept(run, recorded.result());
      }
      return !done;
    } catch (SettingsException e) {
      throw e;
    } catch (LayerwiseException e) {
      fail(run, e.getMessage(), listener);
      return false;
    }
  }

  /** Without what a GPU finds out while it trains. */
  private static RunConfig comparable(RunConfig config) {
    return config.on(config.device().withEngineChoices(""));
  }

  /** Whether the run was not stopped. */
  private boolean train(Run run, Training training, Listener listener) {
    Ended ended = training.train(run, RunDirectory.holdsCheckpoint(run.home()));
    if (ended.stopped()) {
      return false;
    }
    synchronized (this) {
      if (ended.failure() != null) {
        fail(run, ended.failure(), listener);
      } else {
        take(run, listener);
      }
      writeTable();
    }
    return true;
  }

  private void take(Run run, Listener listener) {
    try {
      TrainingResult result = RecordedRun.read(run.home()).result();
      if (result.finished()) {
        finished.put(run, result);
        listener.finished(run, result);
      } else {
        fail(run, "it ended before its last epoch", listener);
      }
    } catch (FileException e) {
      fail(run, e.getMessage(), listener);
    }
  }

  private void fail(Run run, String reason, Listener listener) {
    failed.put(run, reason);
    listener.failed(run, reason);
  }

  /** How many runs have failed. */
  public int failures() {
    return failed.size();
  }

  private synchronized void writeTable() {
    SweepTable table = table();
    TableFiles.write(folder, table, table.toMarkdown());
  }

  /** What has been finished: a row for each combination with a finished run. */
  public synchronized SweepTable table() {
    Map<Combination, List<Run>> byCombination = new LinkedHashMap<>();
    for (Run run : runs) {
      if (finished.containsKey(run)) {
        byCombination.computeIfAbsent(run.combination(), combination -> new ArrayList<>()).add(run);
      }
    }
    List<SweepRow> rows = new ArrayList<>();
    byCombination.forEach((combination, done) -> rows.add(row(combination, done)));
    List<String> failures = failed.entrySet().stream().map(run -> run.getKey() + ": " + run.getValue()).toList();
    List<String> devices =
        runs.stream()
            .map(run -> run.config().device())
            .map(device -> device.device() + " in " + device.precision() + ", threads: " + device.threads())
            .distinct()
            .toList();
    return SweepTable.of(title, NativeLibrary.version(), String.join("; ", devices), rows, failures);
  }

  private SweepRow row(Combination combination, List<Run> done) {
    List<TrainingResult> results = done.stream().map(finished::get).toList();
    boolean validated = results.stream().allMatch(result -> result.validationError() != null);
    return new SweepRow(
        combination.values(), combination.folderName(), done.stream().map(Run::seed).toList(),
        done.stream().map(run -> run.testError(finished.get(run))).toList(),
        validated ? done.stream().map(run -> run.validationError(finished.get(run))).toList() : null,
        results.stream().map(TrainingResult::seconds).toList(),
        results.stream().mapToInt(TrainingResult::epochs).max().orElse(0));
  }
}
