package dev.layerwise.train;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.ClassNames;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.Images;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.files.FileException;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelFile;
import dev.layerwise.model.StoredWeights;
import dev.layerwise.model.WeightImport;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.run.Checkpoint;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.MetricSums;
import dev.layerwise.run.Progress;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.RunImages;
import dev.layerwise.run.TensorBoardLog;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.run.TrainingResult.Ending;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.settings.Augmentation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * Trains a network on a data set and leaves its results in a run's folder. All that happens is decided
 * by the configuration and the progress; a run that was stopped anywhere and resumed ends with the same
 * bits as one that was not.
 */
public final class TrainingRun implements AutoCloseable {
  private RunConfig config;
  private final DataSet<?> data;
  private final RunImages images;
  private final RunDirectory directory;
  private final NativeContext context;
  private final DeviceNetwork network;
  private final ImageFeed trainImages;
  private final ImageFeed testImages;
  private final Reports reports;
  private Progress progress;
  private List<String> weightSummary = List.of();
  private long timeLimitNanos;
  private long sessionStarted;
  private long checkpointWritten = System.nanoTime();
  /** Whether all that there is of the run is the state with which it was started. */
  private boolean onlyStarted;
  private volatile boolean stopRequested;

  private TrainingRun(RunConfig config, DataSet<?> data, RunImages images, RunDirectory directory) {
    this.config = config;
    this.data = data;
    this.images = images;
    this.directory = directory;
    TrainingConfig training = config.training();
    context = NativeContext.create(config.device(), training.seed());
    try {
      network = new DeviceNetwork(context, config.model(), config.optimizer());
      trainImages = ImageFeed.of(context, data.train(), data.info(), training.seed());
      testImages = ImageFeed.of(context, data.test(), data.info(), training.seed());
    } catch (RuntimeException e) {
      context.close();
      throw e;
    }
    reports = new Reports(config, network.measuredLayers());
    progress = Progress.start(network.measuredLayers().size());
  }

  /** A new run; the folder must not hold another. */
  public static TrainingRun start(RunConfig config, DataSet<?> data, RunDirectory directory) {
    directory.requireNoForeignFiles();
    TrainingRun trainer = new TrainingRun(config, data, RunImages.of(data), directory);
    try {
      if (config.init() != null) {
        trainer.weightSummary =
            WeightImport.load(Path.of(config.init().file()), trainer.network, config.init().takesWhatFits()).summary();
      }
      directory.keepMetricsBefore(0);
      directory.writeConfig(config);
      trainer.writeCheckpoint(trainer.progress); // a run that is killed in its first epoch can be resumed too
      trainer.onlyStarted = true;
      return trainer;
    } catch (RuntimeException e) {
      trainer.close();
      throw e;
    }
  }

  /** The configuration with which the run of a checkpoint was started; a file or a run's folder. */
  public static RunConfig configOf(Path checkpoint) {
    return Checkpoint.State.read(checkpoint).config();
  }

  /** What a run is and how far it had come, from its checkpoint; a file or a run's folder. */
  public static RecordedRun recorded(Path checkpoint) {
    Checkpoint.State at = Checkpoint.State.read(checkpoint);
    return new RecordedRun(at.config(), at.progress().result(at.config().training(), Ending.STOPPED), at.images());
  }

  /**
   * A run that goes on from a checkpoint.
   *
   * @param config the checkpoint's, but perhaps for the number of epochs and the patience
   * @throws OtherImagesException if images of the data set were added, removed or changed since the run was started
   * @throws LayerwiseException if there is no whole checkpoint, the data set is not the run's, or the run has come
   *     further than it is to go
   */
  public static TrainingRun resume(Path checkpoint, RunConfig config, DataSet<?> data, RunDirectory directory) {
    Checkpoint from = Checkpoint.read(checkpoint);
    checkData(from, data);
    RunImages images = RunImages.of(data);
    if (from.images() != null) {
      from.images().requireSame(images);
    }
    int begun = from.progress().epoch() - (from.progress().images() == 0 ? 1 : 0);
    if (config.training().schedule().epochs() < begun) {
      throw new LayerwiseException(
          String.format(
              Locale.ROOT, "the run has begun its epoch %d already, more than the %d asked for", begun, config.training().schedule().epochs()));
    }
    StoredWeights.check(config.model(), from.weights());
    TrainingRun trainer = new TrainingRun(config, data, images, directory);
    try {
      if (from.progress().images() > data.train().count()
          || from.progress().sums().size() != trainer.progress.sums().size()) {
        throw new FileException(checkpoint + " is damaged: its progress does not fit its network and its data");
      }
      trainer.network.setWeights(from.weights());
      trainer.network.setOptimizerState(from.optimizerState());
      trainer.progress = from.progress();
      directory.adoptMetrics(Files.isDirectory(checkpoint) ? checkpoint : checkpoint.toAbsolutePath().getParent());
      directory.keepMetricsBefore(trainer.progress.epoch());
      directory.removeEvaluation();
      directory.writeConfig(config);
      return trainer;
    } catch (RuntimeException e) {
      trainer.close();
      throw e;
    }
  }

  /** Throws unless images and labels mean what they meant when the run was started. */
  private static void checkData(Checkpoint from, DataSet<?> data) {
    String recorded = from.config().training().dataset();
    ModelConfig model = from.config().model();
    Images images = data.train();
    if (!data.info().name().equals(recorded)) {
      throw new LayerwiseException(
          "the run trains on the data set '" + recorded + "', not on '" + data.info().name()
              + "'; resume it with its own, or start a new run");
    }
    model.images().requireFits("the run", images.shape(), data.info().title(), "resume it with images of its size");
    if (data.info().classes() != model.classes()) {
      throw new LayerwiseException(
          String.format(
              Locale.ROOT, "the run has %d classes, but %s has %d; resume it with its own data set", model.classes(),
              data.info().title(), data.info().classes()));
    }
    if (from.classNames() != null) {
      ClassNames.requireSame(from.classNames(), data.info(), "the run");
    }
  }

  /** The epoch that is under way or comes next, counted from 1. */
  public int epoch() {
    return progress.epoch();
  }

  /** See {@link WeightImport#summary}; empty if the run has not begun here with weights from a file. */
  public List<String> weightSummary() {
    return weightSummary;
  }

  /** See {@link NativeContext#engineChoices}. */
  public String engineChoices() {
    return context.engineChoices();
  }

  /** Whether a run that has been resumed was over already. */
  public boolean isOver() {
    return progress.isOver(config.training());
  }

  /** Asks a running {@link #run} to stop after the step in hand; from any thread. */
  public void requestStop() {
    stopRequested = true;
  }

  /**
   * Trains until the run is over, its time is up or a stop is asked for. A new run that fails before there is anything
   * to go on from takes its files away again, so that the folder is free for the corrected one.
   */
  public TrainingResult run(SessionSettings settings, TrainingListener listener) {
    try {
      return train(settings, listener);
    } catch (RuntimeException e) {
      if (onlyStarted && progress.epoch() == 1) {
        directory.discardStart();
      }
      throw e;
    }
  }

  private TrainingResult train(SessionSettings settings, TrainingListener listener) {
    TrainingConfig training = config.training();
    timeLimitNanos = settings.timeLimit() == null ? Long.MAX_VALUE : settings.timeLimit().toNanos();
    sessionStarted = System.nanoTime();
    TensorBoardLog tensorBoard =
        settings.tensorBoard() || TensorBoardLog.isIn(directory.path())
            ? TensorBoardLog.begin(directory.path(), directory.readMetrics(), progress.totalSeconds())
            : null;
    while (!progress.isOver(training)) {
      EpochReport report = trainEpoch(settings.checkpoints(), listener) ? endEpoch() : null;
      if (report == null) {
        writeCheckpoint(progress);
        return progress.result(training, stopRequested ? Ending.STOPPED : Ending.TIME_UP);
      }
      if (tensorBoard != null) {
        tensorBoard.add(report);
      }
      if (progress.isOver(training) || isCheckpointDue(settings.checkpoints())) {
        writeCheckpoint(progress);
      }
      listener.epochEnded(report);
    }
    directory.writeModel(
        new ModelFile(
            config.model(), training.dataset(), inputDescription(), config.device().precision(), network.weights()));
    EvaluationCollector collector = new EvaluationCollector(data.info());
    Evaluator.evaluate(network, testImages, data.test().count(), training.batches().batchSize(), collector);
    directory.writeEvaluation(collector.evaluation());
    return progress.result(training, Ending.STOPPED);
  }

  private InputDescription inputDescription() {
    DataSetInfo info = data.info();
    int size = config.model().images().side();
    int resize = data.test() instanceof StreamedImages streamed ? streamed.testResize() : size;
    return new InputDescription(info.classNames(), info.mean(), info.deviation(), resize);
  }

  /** At the beginning of an epoch. */
  private boolean isCheckpointDue(CheckpointSchedule checkpoints) {
    return checkpoints.isDueAfterEpoch(progress.epoch() - 1)
        || checkpoints.isDueAfterStep(progress.step(), System.nanoTime() - checkpointWritten);
  }

  private boolean isToStop() {
    return stopRequested || System.nanoTime() - sessionStarted >= timeLimitNanos;
  }

  /** Trains the rest of the epoch under way; false if it is to stop before its end. */
  private boolean trainEpoch(CheckpointSchedule checkpoints, TrainingListener listener) {
    TrainingConfig training = config.training();
    int[] order = training.order(data.train(), progress.epoch());
    double learningRate = training.schedule().learningRate(progress.epoch());
    Augmentation augmentation = training.augmentation();
    Duration interval = listener.progressInterval();
    int images = progress.images();
    long step = progress.step();
    long started = System.nanoTime();
    long told = started;
    tell(listener, progress, order.length);
    try (ImageFeed.Pass pass =
        trainImages.pass(order, images, training.batches().batchSize(), progress.epoch(), augmentation)) {
      while (images < order.length && !isToStop()) {
        if (!pass.advance()) { // what was left could not be used
          images = order.length;
          break;
        }
        context.setStep(step, learningRate);
        if (pass.staysInPlace()) {
          context.step(pass.count(), () -> trainOn(pass));
        } else {
          trainOn(pass);
        }
        images = pass.position();
        step++;
        long now = System.nanoTime();
        if (images < order.length && checkpoints.isDueAfterStep(step, now - checkpointWritten)) {
          writeCheckpoint(soFar(images, step, started));
          started += System.nanoTime() - now; // writing is no training
        }
        if (interval != null && now - told >= interval.toNanos()) {
          tell(listener, soFar(images, step, started), order.length);
          told = now;
        }
      }
    }
    progress =
        progress.later(
            images, step, secondsSince(started), MetricSums.plus(progress.sums(), network.readMetrics()));
    tell(listener, progress, order.length);
    return images == order.length;
  }

  private void trainOn(ImageFeed.Pass pass) {
    try (NativeDataSet.Batch batch = pass.batch()) {
      network.trainStep(batch.images(), batch.labels());
    }
  }

  /** A state inside the epoch under way. Looks at the metrics only: what the epoch reports is not changed by it. */
  private Progress soFar(int images, long step, long started) {
    return progress.later(
        images, step, secondsSince(started), MetricSums.plus(progress.sums(), network.metricsSoFar()));
  }

  private void tell(TrainingListener listener, Progress at, int ofImages) {
    if (listener.progressInterval() != null) {
      listener.progressed(reports.progress(at, ofImages));
    }
  }

  /**
   * Evaluates, records, and makes the next epoch's beginning the state to resume from. {@code null} if it is to stop
   * before all is evaluated; a resumed run then begins with the evaluation.
   */
  private EpochReport endEpoch() {
    if (progress.sums().get(progress.sums().size() - 1).samples() == 0) {
      throw new LayerwiseException(
          "none of the " + data.train().count() + " training images can be used; repair or replace them");
    }
    long started = System.nanoTime();
    List<BlockMetrics> test =
        Evaluator.evaluate(
            network, testImages, data.test().count(), config.training().batches().batchSize(), null, this::isToStop);
    if (test == null) {
      return null;
    }
    BlockMetrics output = test.get(test.size() - 1);
    double testError = 100 * output.errors() / output.samples();
    double totalSeconds = progress.totalSeconds() + secondsSince(started);
    EpochReport report = reports.epoch(progress, output.predictionLoss(), testError, totalSeconds);
    if (!Double.isFinite(report.trainLoss()) || !Double.isFinite(report.testLoss())) {
      throw new LayerwiseException(
          String.format(
              Locale.ROOT, "training diverged in epoch %d: the loss is %s; start again with a smaller learning rate%s",
              report.epoch(), Double.isFinite(report.trainLoss()) ? report.testLoss() : report.trainLoss(),
              onlyStarted ? "" : " (the last checkpoint is from before)"));
    }
    directory.appendMetrics(report);
    progress = progress.nextEpoch(testError, totalSeconds);
    return report;
  }

  private void writeCheckpoint(Progress at) {
    DeviceOptions device = config.device().withEngineChoices(context.engineChoices());
    if (!device.equals(config.device())) { // found out since the last checkpoint: a part of what decides the bits
      config = config.on(device);
      directory.writeConfig(config);
    }
    directory.writeCheckpoint(
        new Checkpoint(
            config, at, data.info().classNames(), images, network.weights(), network.optimizerState()));
    checkpointWritten = System.nanoTime();
    onlyStarted = false;
  }

  private static double secondsSince(long nanoTime) {
    return (System.nanoTime() - nanoTime) * 1e-9;
  }

  @Override
  public void close() {
    testImages.close();
    trainImages.close();
    network.close();
    context.close();
  }
}
