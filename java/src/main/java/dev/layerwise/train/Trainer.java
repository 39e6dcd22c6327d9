package dev.layerwise.train;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelFile;
import dev.layerwise.model.Network;
import dev.layerwise.model.WeightImport;
import dev.layerwise.nativelib.Augmentation;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Trains a network on a data set and leaves its results in a run's folder. All that happens is decided
 * by the configuration and the progress; a run that was stopped anywhere and resumed ends with the same
 * bits as one that was not.
 */
public final class Trainer implements AutoCloseable {
  private RunConfig config;
  private final DataSet<?> data;
  private final RunDirectory directory;
  private final NativeContext context;
  private final Network network;
  private final ImageFeed trainImages;
  private final ImageFeed testImages;
  private Progress progress;
  private volatile boolean stopRequested;

  private Trainer(RunConfig config, DataSet<?> data, RunDirectory directory) {
    this.config = config;
    this.data = data;
    this.directory = directory;
    TrainingConfig training = config.training();
    context = NativeContext.create(config.device(), training.seed());
    try {
      network = new Network(context, config.model(), config.optimizer());
      trainImages = ImageFeed.of(context, data.train(), data.info(), training.seed());
      testImages = ImageFeed.of(context, data.test(), data.info(), training.seed());
    } catch (RuntimeException e) {
      context.close();
      throw e;
    }
    progress = Progress.start(network.measuredLayers().size());
  }

  /** A new run; the folder must not hold another. */
  public static Trainer start(RunConfig config, DataSet<?> data, RunDirectory directory) {
    Trainer trainer = new Trainer(config, data, directory);
    try {
      if (config.init() != null) {
        WeightImport.load(Path.of(config.init().file()), trainer.network);
      }
      directory.keepMetricsBefore(0);
      directory.writeConfig(config);
      trainer.writeCheckpoint(); // a run that is killed in its first epoch can be resumed too
      return trainer;
    } catch (RuntimeException e) {
      trainer.close();
      throw e;
    }
  }

  /** The configuration with which the run of a checkpoint was started; a file or a run's folder. */
  public static RunConfig configOf(Path checkpoint) {
    return Checkpoint.read(checkpoint).config();
  }

  /** What a run is and how far it had come, from its checkpoint; a file or a run's folder. */
  public static RecordedRun recorded(Path checkpoint) {
    Checkpoint at = Checkpoint.read(checkpoint);
    return new RecordedRun(at.config(), at.progress().result(at.config().training().epochs()));
  }

  /**
   * A run that goes on from a checkpoint.
   *
   * @param config the checkpoint's, but perhaps for the number of epochs
   */
  public static Trainer resume(Path checkpoint, RunConfig config, DataSet<?> data, RunDirectory directory) {
    Checkpoint from = Checkpoint.read(checkpoint);
    int begun = from.progress().epoch() - (from.progress().images() == 0 ? 1 : 0);
    if (config.training().epochs() < begun) {
      throw new LayerwiseException(
          String.format(
              "the run has begun its epoch %d already, more than the %d asked for", begun, config.training().epochs()));
    }
    Trainer trainer = new Trainer(config, data, directory);
    try {
      trainer.network.setWeights(from.weights());
      trainer.network.setOptimizerState(from.optimizerState());
      trainer.progress = from.progress();
      directory.keepMetricsBefore(trainer.progress.epoch());
      directory.removeEvaluation();
      directory.writeConfig(config);
      return trainer;
    } catch (RuntimeException e) {
      trainer.close();
      throw e;
    }
  }

  /** The epoch that is under way or comes next, counted from 1. */
  public int epoch() {
    return progress.epoch();
  }

  /** See {@link NativeContext#engineChoices}. */
  public String engineChoices() {
    return context.engineChoices();
  }

  /** Asks a running {@link #run} to stop after the step in hand; from any thread. */
  public void requestStop() {
    stopRequested = true;
  }

  /** Trains until all epochs are done or a stop is asked for. */
  public TrainingResult run(TrainingListener listener) {
    int epochs = config.training().epochs();
    while (progress.epoch() <= epochs) {
      if (!trainEpoch()) {
        writeCheckpoint();
        return progress.result(epochs);
      }
      endEpoch(listener);
    }
    directory.writeModel(
        new ModelFile(config.model(), config.training().dataset(), inputDescription(), network.weights()));
    EvaluationCollector collector = new EvaluationCollector(data.info());
    Evaluator.evaluate(network, testImages, data.test().count(), config.training().batchSize(), collector);
    directory.writeEvaluation(collector.evaluation());
    return progress.result(epochs);
  }

  private InputDescription inputDescription() {
    DataSetInfo info = data.info();
    int size = Math.max(config.model().inputHeight(), config.model().inputWidth());
    int resize = data.test() instanceof StreamedImages streamed ? streamed.testResize() : size;
    return new InputDescription(info.classNames(), info.mean(), info.deviation(), resize);
  }

  /** Trains the rest of the epoch under way; false if a stop was asked for before its end. */
  private boolean trainEpoch() {
    TrainingConfig training = config.training();
    int[] order = training.order(data.train(), progress.epoch());
    double learningRate = training.learningRate(progress.epoch());
    Augmentation augmentation = training.augmentation();
    int images = progress.images();
    long step = progress.step();
    long started = System.nanoTime();
    try (ImageFeed.Pass pass =
        trainImages.pass(order, images, training.batchSize(), progress.epoch(), augmentation)) {
      while (images < order.length && !stopRequested) {
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
      }
    }
    List<MetricSums> sums = new ArrayList<>();
    List<BlockMetrics> metrics = network.readMetrics();
    for (int i = 0; i < metrics.size(); i++) {
      sums.add(progress.sums().get(i).plus(metrics.get(i)));
    }
    double seconds = secondsSince(started);
    progress =
        new Progress(
            progress.epoch(), images, step, progress.epochSeconds() + seconds, progress.totalSeconds() + seconds,
            sums, progress.testError());
    return images == order.length;
  }

  private void trainOn(ImageFeed.Pass pass) {
    try (NativeDataSet.Batch batch = pass.batch()) {
      network.trainStep(batch.images(), batch.labels());
    }
  }

  /** Evaluates, reports, and makes the next epoch's beginning the state to resume from. */
  private void endEpoch(TrainingListener listener) {
    long started = System.nanoTime();
    List<BlockMetrics> test =
        Evaluator.evaluate(network, testImages, data.test().count(), config.training().batchSize(), null);
    BlockMetrics output = test.get(test.size() - 1);
    double testError = 100 * output.errors() / output.samples();
    double totalSeconds = progress.totalSeconds() + secondsSince(started);
    EpochReport report = report(output.predictionLoss(), testError, totalSeconds);
    if (!Double.isFinite(report.trainLoss()) || !Double.isFinite(report.testLoss())) {
      throw new LayerwiseException(
          String.format(
              "training diverged in epoch %d: the loss is %s; start again with a smaller --lr (the last checkpoint is"
                  + " from before)",
              report.epoch(), Double.isFinite(report.trainLoss()) ? report.testLoss() : report.trainLoss()));
    }
    Progress next = Progress.start(network.measuredLayers().size());
    progress =
        new Progress(report.epoch() + 1, 0, progress.step(), 0, totalSeconds, next.sums(), testError);
    directory.appendMetrics(report);
    writeCheckpoint();
    listener.epochEnded(report);
  }

  private EpochReport report(double testLoss, double testError, double totalSeconds) {
    ModelConfig model = config.model();
    boolean similarity = "sim".equals(model.loss()) || "predsim".equals(model.loss());
    boolean prediction = "pred".equals(model.loss()) || "predsim".equals(model.loss());
    List<EpochReport.BlockReport> blocks = new ArrayList<>();
    List<LayerSpec> layers = network.measuredLayers();
    for (int i = 0; i < layers.size() - 1; i++) {
      MetricSums sums = progress.sums().get(i);
      blocks.add(
          new EpochReport.BlockReport(
              layers.get(i).name(),
              similarity ? (Double) sums.meanSimilarityLoss() : null,
              prediction ? (Double) sums.meanPredictionLoss() : null,
              model.alpha() > 0 ? (Double) sums.meanUnsupervisedLoss() : null,
              prediction && !model.bio() ? (Double) sums.errorPercent() : null));
    }
    MetricSums output = progress.sums().get(layers.size() - 1);
    TrainingConfig training = config.training();
    return new EpochReport(
        progress.epoch(), training.epochs(), training.learningRate(progress.epoch()), output.meanPredictionLoss(),
        output.errorPercent(), testLoss, testError, progress.images() / progress.epochSeconds(), totalSeconds, blocks);
  }

  private void writeCheckpoint() {
    DeviceOptions device = config.device().withEngineChoices(context.engineChoices());
    if (!device.equals(config.device())) { // found out since the last checkpoint: a part of what decides the bits
      config = config.on(device);
      directory.writeConfig(config);
    }
    directory.writeCheckpoint(new Checkpoint(config, progress, network.weights(), network.optimizerState()));
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
