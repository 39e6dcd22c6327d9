package dev.layerwise.train;

import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.ModelFile;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.run.Checkpoint;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.Progress;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.RunImages;
import dev.layerwise.run.TensorBoardLog;
import dev.layerwise.run.TensorBoardSteps;
import java.nio.file.Files;
import dev.layerwise.safetensors.TensorSource;
import java.nio.file.Path;
import java.util.Map;

/** Writes the files of a run as it goes: configuration, metrics, checkpoints and, at the end, model and evaluation. */
final class RunRecorder {
  private final RunDirectory directory;
  private final DataSet<?> data;
  private final RunImages images;
  private RunConfig config;
  /** {@code null}: nothing is written for TensorBoard. */
  private TensorBoardLog tensorBoard;
  /** {@code null} likewise. */
  private TensorBoardSteps tensorBoardSteps;
  /** What of a network goes into a checkpoint. */
  record NetworkState(
      Map<String, TensorSource> weights, Map<String, TensorSource> optimizer, Map<String, TensorSource> bestWeights) {}

  private final BackgroundFile checkpoint = new BackgroundFile();
  private long checkpointWritten = System.nanoTime();
  private long heldUpByCheckpoint;
  /** Whether all that there is of the run is the state with which it was started. */
  private boolean onlyStarted;

  RunRecorder(RunDirectory directory, RunConfig config, DataSet<?> data, RunImages images) {
    this.directory = directory;
    this.config = config;
    this.data = data;
    this.images = images;
  }

  /** Begins the files of a new run. */
  void start(NetworkState state, Progress at, String engineChoices) {
    directory.metrics().keepBefore(0);
    directory.removeSessions();
    directory.writeConfig(config);
    checkpoint(state, at, engineChoices, System.nanoTime()); // a run that is killed in its first epoch can be resumed too
    onlyStarted = true;
  }

  /**
   * Makes the files those of a run that goes on.
   *
   * @param checkpoint file or folder from which it does
   */
  void resume(Path checkpoint, int epoch) {
    Path source = Files.isDirectory(checkpoint) ? checkpoint : checkpoint.toAbsolutePath().getParent();
    directory.metrics().adoptFrom(source);
    directory.adoptSessions(source);
    directory.metrics().keepBefore(epoch);
    directory.removeEvaluation();
    directory.writeConfig(config);
  }

  /** A session begins, which is recorded: with a log for TensorBoard if that is wanted, or if an earlier session wrote one. */
  void beginSession(SessionSettings settings, Progress from) {
    if (!from.isOver(config.training().schedule())) { // else nothing is trained in it
      directory.addSession(settings.command(), config.device().device());
    }
    if (settings.tensorBoard() || TensorBoardLog.isIn(directory.path())) {
      tensorBoard =
          TensorBoardLog.begin(directory.path(), config, directory.metrics().read().epochs(), from.totalSeconds());
      tensorBoardSteps = TensorBoardSteps.begin(directory.path(), from);
    }
  }

  /** Whether {@link #stepsTrained} is to be told how far the run is; never in other processes than the first. */
  boolean recordsStep(long step) {
    return tensorBoardSteps != null && tensorBoardSteps.isDue(step);
  }

  /** Some steps of an epoch have been trained. */
  void stepsTrained(Progress at, double learningRate) {
    tensorBoardSteps.add(at, learningRate);
  }

  /** An epoch has been trained and evaluated. */
  void epochEnded(EpochReport report) {
    directory.appendMetrics(report);
    if (tensorBoard != null) {
      tensorBoard.add(report);
    }
  }

  /**
   * Replaces the checkpoint: the state is in the file when this returns, and gets its name, and to the disk, while training
   * goes on.
   *
   * @param since when training began to wait for it, by {@link System#nanoTime}
   * @param engineChoices what the device has found out; a part of what decides the bits, and so of the configuration
   */
  void checkpoint(NetworkState state, Progress at, String engineChoices, long since) {
    DeviceOptions device = config.device().withEngineChoices(engineChoices);
    if (!device.equals(config.device())) {
      config = config.on(device);
      directory.writeConfig(config);
    }
    RecordedRun run = new RecordedRun(config, at, data.info().classNames(), images);
    checkpoint.finish(
        directory.beginCheckpoint(
            new Checkpoint(run, state.weights(), state.optimizer(), state.bestWeights(), null)));
    checkpointWritten = System.nanoTime();
    heldUpByCheckpoint = checkpointWritten - since;
    onlyStarted = false;
  }

  CheckpointSchedule.Last lastCheckpoint() {
    return new CheckpointSchedule.Last(System.nanoTime() - checkpointWritten, heldUpByCheckpoint);
  }

  /** Throws if a checkpoint could not be written. */
  void requireNoFailure() {
    checkpoint.requireNoFailure();
  }

  /** Lets a checkpoint under way come to its end. */
  void close() {
    try {
      checkpoint.await();
    } catch (RuntimeException e) { // the run has failed for another reason, which was said
      return;
    }
  }

  /** Waits until the last checkpoint is on the disk; throws if it could not be written. */
  void awaitCheckpoint() {
    checkpoint.await();
  }

  boolean hasOnlyStarted() {
    return onlyStarted;
  }

  /** Removes what the start of a run has written, so that the folder is free for the corrected one. */
  void discardStart() {
    close(); // a checkpoint under way would come back
    directory.discardStart();
  }

  void writeModel(Map<String, TensorSource> weights) {
    directory.writeModel(
        new ModelFile(
            config.model(), config.training().dataset(), inputDescription(), config.device().precision(),
            weights, null));
  }

  /** The last that a run writes. */
  void writeEvaluation(Evaluation evaluation) {
    directory.writeEvaluation(evaluation);
    if (tensorBoard != null) {
      tensorBoard.finish();
    }
  }

  private InputDescription inputDescription() {
    DataSetInfo info = data.info();
    int size = config.model().images().side();
    int resize = data.test() instanceof StreamedImages streamed ? streamed.testResize() : size;
    return new InputDescription(info.classNames(), info.mean(), info.deviation(), resize);
  }
}
