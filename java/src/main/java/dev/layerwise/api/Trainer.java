package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.Networks;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.ResumeRules;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.SingleProcess;
import dev.layerwise.train.TrainingSession;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * Trains a network on a data set. The results are left in a folder, as those of the command line. What is trained here
 * can be used there (predict, inspect, export, report, embed), and the other way round. On a data set that the command
 * line knows too, by name or as a folder of images, a run of either can also be evaluated and resumed by the other, as
 * far as a {@link Network} can say what it trains; the data of {@link DataSet#of} are known only to the program that
 * made them, and only it can resume and test. The same settings and the same data give the same bits.
 *
 * <p>A trainer is for one thread, but {@link #requestStop} may be called from any.
 */
public final class Trainer extends TrainerOptions {
  private final Network network;
  private final DataSet data;
  private final TrainerListeners listeners = new TrainerListeners();
  private SessionSettings session = SessionSettings.DEFAULT;
  /** The run under way, or else the next one. */
  private TrainingSession runs = new TrainingSession(new SingleProcess());

  /**
   * How a run ended.
   *
   * @param ending why
   * @param epochs finished ones
   * @param testError after the last finished epoch, in percent; {@code null} if there is none
   * @param validationError after the same epoch; {@code null} without {@link Trainer#validation}
   * @param bestEpoch the first epoch with the lowest validation error or, without {@link Trainer#validation}, test error;
   *     {@code null} if there is none
   * @param bestTestError after the best epoch
   * @param bestValidationError after the best epoch; {@code null} without {@link Trainer#validation}
   * @param modelEpoch the epoch whose model the run has saved: the best with {@link Trainer#patience} or {@link Trainer#validation},
   *     otherwise the last; {@code null} if the run can be resumed
   * @param seconds spent in the run, earlier sessions included
   */
  public record Outcome(
      Ending ending, int epochs, Double testError, Double validationError, Integer bestEpoch, Double bestTestError,
      Double bestValidationError, Integer modelEpoch, double seconds) {

    /** What ended a run, or this session of it. */
    public enum Ending {
      /** All epochs are done. */
      EPOCHS_DONE,
      /** The error has not improved for as many epochs as the trainer has {@link Trainer#patience}. */
      NO_IMPROVEMENT,
      /** The {@link Trainer#timeLimit} has passed; the run can be resumed. */
      TIME_UP,
      /** {@link Trainer#requestStop} was called; the run can be resumed. */
      STOPPED
    }

    /**
     * Whether nothing is left to train.
     *
     * @return false if the run can be resumed
     */
    public boolean finished() {
      return ending == Ending.EPOCHS_DONE || ending == Ending.NO_IMPROVEMENT;
    }

    static Outcome of(TrainingResult result) {
      return new Outcome(
          Ending.valueOf(result.ending().name()), result.epochs(), result.testError(), result.validationError(),
          result.bestEpoch(), result.bestTestError(), result.bestValidationError(), result.modelEpoch(), result.seconds());
    }
  }

  /**
   * A trainer with the published settings: Adam, batches of 128, learning rate 5e-4, and the crops and flips that are
   * usual for the data set; 10 epochs.
   *
   * @param network what is trained
   * @param data on what
   */
  public Trainer(Network network, DataSet data) {
    this.network = Objects.requireNonNull(network);
    this.data = Objects.requireNonNull(data);
  }

  /**
   * Starts from weights in a file instead of random ones. All of them must fit the network in name and shape.
   *
   * @param weights a safetensors file of float32, float64, float16 or bfloat16 with the names of PyTorch's state_dict,
   *     or a run's folder
   * @return this
   */
  public Trainer initialWeights(Path weights) {
    settings.initialWeights(weights, false);
    listeners.weights(summary -> { });
    return this;
  }

  /**
   * Starts from those weights in a file that fit the network in name and shape; the others stay random. So a network
   * begins with what another has learned of other classes, for example.
   *
   * @param weights as for {@link #initialWeights}
   * @param listener told, when a new run begins, what was taken and what was not, in a few sentences
   * @return this
   */
  public Trainer partialInitialWeights(Path weights, Consumer<String> listener) {
    settings.initialWeights(weights, true);
    listeners.weights(listener);
    return this;
  }

  /**
   * Who is told of every epoch, on the training thread. What it throws ends training; the last checkpoint stays.
   *
   * @param consumer of reports
   * @return this
   */
  public Trainer onEpoch(Consumer<Epoch> consumer) {
    listeners.epochs(consumer);
    return this;
  }

  /**
   * Who is told how an epoch goes, on the training thread: at its first step, at its end, and between them. Each time, the
   * program waits for the device, so an interval below half a second costs speed.
   *
   * @param interval least time between two calls; {@link Duration#ZERO}: after every step
   * @param consumer of reports
   * @return this
   */
  public Trainer onProgress(Duration interval, Consumer<Progress> consumer) {
    listeners.progress(interval, consumer);
    return this;
  }

  /**
   * Stops after a time; the run can be resumed.
   *
   * @param limit after the step during which so much time has passed since {@link #train} or {@link #resume} was called,
   *     it stops
   * @return this
   * @throws LayerwiseException if it is not positive
   */
  public Trainer timeLimit(Duration limit) {
    if (limit.isNegative() || limit.isZero()) {
      throw new LayerwiseException("a time limit must be positive, not " + limit);
    }
    session = new SessionSettings(limit, session.checkpoints(), session.tensorBoard(), null);
    return this;
  }

  /**
   * Trains until all epochs are done or a stop is asked for.
   *
   * @param folder for config.json, metrics.jsonl, checkpoint.safetensors and, at the end, model.safetensors, which
   *     {@link Model#open} takes; made where it is missing
   * @return how it ended
   * @throws LayerwiseException if the folder holds a run already or cannot be written, the network does not go with the
   *     images, the settings or the initial weights, or training diverges
   */
  public Outcome train(Path folder) {
    ModelConfig model = network.configFor(data);
    Networks.layers(model); // says what cannot work before anything is written
    RunConfig wanted = settings.ofNewRun(data, model);
    wanted.training().batches().requireFit(model.architecture());
    try (NativeContext context = context(wanted); RunDirectory directory = RunDirectory.open(folder)) {
      if (directory.holdsRun()) {
        throw new LayerwiseException("the folder " + folder + " already holds a run; resume it, or choose another");
      }
      return run(context, wanted.on(context.inUse()), null, directory);
    }
  }

  /**
   * Goes on with a run that was stopped or killed; it ends with the same bits as one that was not. What this trainer
   * was not told it takes from the run; what it was told must be what the run was started with, but {@link #epochs} and
   * {@link #patience}.
   * The images must be those that the run was started with, also where it only gets more epochs: files are compared by
   * name, class and size, images in memory by their levels and labels.
   *
   * @param folder of the run
   * @return how it ended
   * @throws LayerwiseException if there is no run to resume, or its network, data set, images or settings are others
   */
  public Outcome resume(Path folder) {
    RunConfig recorded = RecordedRun.read(folder).config();
    RunConfig wanted = settings.over(recorded, data, network.configLike(recorded.model()));
    try (NativeContext context = context(wanted)) {
      RunConfig config = wanted.on(context.inUse());
      List<String> changed = ResumeRules.forbidden(recorded, config);
      if (!changed.isEmpty()) {
        throw new LayerwiseException(
            "the run in " + folder + " keeps its network and its settings; this trainer would change "
                + String.join(", ", changed));
      }
      try (RunDirectory directory = RunDirectory.open(folder)) {
        return run(context, config, folder, directory);
      }
    }
  }

  private static NativeContext context(RunConfig config) {
    return NativeContext.create(config.device(), config.training().seed());
  }

  /** From a checkpoint, or {@code null} for a new run. */
  private Outcome run(NativeContext context, RunConfig config, Path checkpoint, RunDirectory directory) {
    try {
      return Outcome.of(current().train(context, config, checkpoint, data.loaded(), directory, session, listeners));
    } finally {
      forgetStop();
    }
  }

  private synchronized TrainingSession current() {
    return runs;
  }

  private synchronized void forgetStop() {
    runs = new TrainingSession(new SingleProcess());
  }

  /** Asks the run under way, or else the next one, to stop after the step in hand; from any thread. */
  public synchronized void requestStop() {
    runs.requestStop();
  }

  @Override
  Trainer self() {
    return this;
  }
}
