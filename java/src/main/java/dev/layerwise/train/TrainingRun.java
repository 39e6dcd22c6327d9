package dev.layerwise.train;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.Images;
import dev.layerwise.data.ValidationSplit;
import dev.layerwise.files.FileException;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.StoredWeights;
import dev.layerwise.model.WeightCopy;
import dev.layerwise.model.WeightImport;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.run.Checkpoint;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.Progress;
import dev.layerwise.run.ResumeRules;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.RunImages;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.run.TrainingResult.Ending;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.SettingsException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * Trains a network on a data set: the loop over epochs and batches. A {@link RunRecorder} writes the run's files. All
 * that happens is decided by the configuration and the progress; a run that was stopped anywhere and resumed ends with
 * the same bits as one that was not.
 */
public final class TrainingRun implements AutoCloseable {
  private final RunConfig config;
  private final DataSet<?> data;
  private final Communicator communicator;
  private final RunRecorder recorder;
  private final NativeContext context;
  private final PipelineStage stage;
  private final DeviceNetwork network;
  private final ImageFeed trainImages;
  private final ImageFeed testImages;
  /** Of all training images, as they are when they are judged. */
  private final ImageFeed validationImages;
  private final ValidationSplit split;
  private final AveragedModel model;
  /** Of this process's stage after the best epoch, if the run keeps them. */
  private final WeightCopy bestWeights = new WeightCopy();
  private final Reports reports;
  private Progress progress;
  private List<String> weightSummary = List.of();
  private long timeLimitNanos;
  private long sessionStarted;
  private volatile boolean stopRequested;

  private TrainingRun(
      NativeContext context, RunConfig config, DataSet<?> data, RunImages images, RunDirectory directory,
      Communicator communicator) {
    communicator.requireEqual(config);
    communicator.requireEqual("the fingerprint of the images", images.summary());
    split = config.training().split(data.train());
    requireImagesForAll(split.trained().length, config.training().batches().batchSize(), communicator.slice().size());
    this.context = context;
    this.config = config;
    this.data = data;
    this.communicator = communicator;
    recorder = new RunRecorder(directory, config, data, images);
    TrainingConfig training = config.training();
    stage = communicator.stage();
    network = new DeviceNetwork(context, config.model(), config.optimizer(), stage.layers());
    trainImages = stage.isFirst() ? feed(data.train()) : stage.received(context);
    testImages = stage.isFirst() ? feed(data.test()) : stage.received(context);
    Images plain = data.train().plain();
    validationImages = plain == data.train() || !stage.isFirst() ? trainImages : feed(plain);
    model = new AveragedModel(config, context, network, trainImages, split.trained(), communicator);
    reports = new Reports(config, network.measuredLayers());
    progress = Progress.start(network.measuredLayers().size());
  }

  private ImageFeed feed(Images images) {
    return ImageFeed.of(context, images, data.info(), config.training().seed());
  }

  /** Throws unless every batch has an image for each process. */
  private static void requireImagesForAll(int images, int batchSize, int processes) {
    int last = images % batchSize == 0 ? Math.min(batchSize, images) : images % batchSize;
    int fewest = Math.min(last, batchSize);
    if (fewest < processes) {
      throw new SettingsException(
          "the last batch of an epoch has " + fewest + (fewest == 1 ? " image" : " images")
              + ", fewer than there are processes (" + processes
              + "); choose another {batch_size}, or start fewer processes");
    }
  }

  /**
   * A new run; the folder must not hold another.
   *
   * @param context opened with the configuration's device and seed, and for these processes; closed by the caller, after
   *     the run
   * @param directory {@code null} in all processes but the first
   */
  public static TrainingRun start(
      NativeContext context, RunConfig config, DataSet<?> data, RunDirectory directory, Communicator communicator) {
    if (communicator.isFirst()) {
      directory.requireNoForeignFiles();
    }
    TrainingRun run = new TrainingRun(context, config, data, RunImages.of(data), directory, communicator);
    try {
      run.weightSummary = Initialization.set(context, config, run.network, run.stage, run.trainImages, data);
      RunRecorder.NetworkState state = run.networkState();
      if (communicator.isFirst()) {
        run.recorder.start(state, run.progress, run.engineChoices());
      }
      return run;
    } catch (RuntimeException e) {
      run.close();
      throw e;
    }
  }

  /**
   * A run that goes on from a checkpoint.
   *
   * @param context as for {@link #start}
   * @param config the checkpoint's, but perhaps for the number of epochs and the patience
   * @throws OtherImagesException if images of the data set were added, removed or changed since the run was started
   * @throws LayerwiseException if there is no whole checkpoint, the data set is not the run's, or the run has come
   *     further than it is to go
   */
  public static TrainingRun resume(
      NativeContext context, Path checkpoint, RunConfig config, DataSet<?> data, RunDirectory directory,
      Communicator communicator) {
    try (Checkpoint from = Checkpoint.read(checkpoint)) {
      return resume(context, checkpoint, from, config, data, directory, communicator);
    }
  }

  private static TrainingRun resume(
      NativeContext context, Path checkpoint, Checkpoint from, RunConfig config, DataSet<?> data, RunDirectory directory,
      Communicator communicator) {
    Progress progress = from.run().progress();
    RunImages images = RunImages.of(data);
    ResumeRules.check(from.run(), config, data, images);
    StoredWeights.check(config.model(), from.weights());
    TrainingRun run = new TrainingRun(context, config, data, images, directory, communicator);
    try {
      if (progress.images() > run.split.trained().length || progress.sums().size() != run.progress.sums().size()) {
        throw new FileException(checkpoint + " is damaged: its progress does not fit its network and its data");
      }
      if (config.training().keepsBest() && from.bestWeights().isEmpty()) {
        progress = progress.withoutBest(); // the best one that can be kept is still to come
      } else if (config.training().keepsBest()) {
        run.network.setWeights(from.bestWeights()); // which checks them
        run.bestWeights.take(run.network.weights());
      }
      run.network.setWeights(from.weights());
      run.network.setOptimizerState(from.optimizerState());
      run.progress = progress;
      if (communicator.isFirst()) {
        run.recorder.resume(checkpoint, progress.epoch());
      }
      return run;
    } catch (RuntimeException e) {
      run.close();
      throw e;
    }
  }

  /** The epoch that is under way or comes next, counted from 1. */
  public int epoch() {
    return progress.epoch();
  }

  /** How much of that epoch has been trained, from 0 to 1. */
  public double epochDone() {
    return (double) progress.images() / split.trained().length;
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
    return progress.isOver(config.training().schedule());
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
      if (recorder.hasOnlyStarted() && progress.epoch() == 1) {
        recorder.discardStart();
      }
      throw e;
    }
  }

  private TrainingResult train(SessionSettings settings, TrainingListener listener) {
    Schedule schedule = config.training().schedule();
    timeLimitNanos = settings.timeLimit() == null ? Long.MAX_VALUE : settings.timeLimit().toNanos();
    sessionStarted = System.nanoTime();
    if (communicator.isFirst()) {
      recorder.beginSession(settings, progress);
    }
    while (!progress.isOver(schedule)) {
      EpochReport report = trainEpoch(settings.checkpoints(), listener) ? endEpoch() : null;
      if (report == null) {
        writeCheckpoint(progress);
        recorder.awaitCheckpoint();
        return progress.result(schedule, communicator.any(stopRequested) ? Ending.STOPPED : Ending.TIME_UP, null);
      }
      if (progress.isOver(schedule) || isCheckpointDue(settings.checkpoints())) {
        writeCheckpoint(progress);
      }
      if (communicator.isFirst()) {
        listener.epochEnded(report);
      }
    }
    recorder.awaitCheckpoint();
    return progress.result(schedule, Ending.STOPPED, finish());
  }

  /** Saves and evaluates the model, which the network is afterwards; gives the epoch that it is from. */
  private int finish() {
    if (bestWeights.weights().isEmpty()) {
      int last = progress.epoch() - 1;
      return model.with(
          last,
          () -> {
            saveModel();
            return last;
          });
    }
    network.setWeights(bestWeights.weights());
    saveModel();
    return progress.bestEpoch();
  }

  private void saveModel() {
    Map<String, TensorSource> weights = communicator.collect(network::weights);
    if (communicator.isFirst()) {
      recorder.writeModel(weights);
    }
    Evaluation evaluation =
        stage.isWhole() ? FinalEvaluation.of(network, config, testImages, data, communicator)
            : FinalEvaluation.ofStages(context, config, weights, data, communicator);
    if (communicator.isFirst()) {
      recorder.writeEvaluation(evaluation);
    }
  }

  /** At the beginning of an epoch. */
  private boolean isCheckpointDue(CheckpointSchedule checkpoints) {
    return communicator.decide(checkpoints.isDueAfterEpoch(progress.epoch() - 1, recorder.lastCheckpoint()))
        || isCheckpointDue(checkpoints, progress.step());
  }

  private boolean isCheckpointDue(CheckpointSchedule checkpoints, long step) {
    return communicator.decide(checkpoints.isDueAfterStep(step, recorder.lastCheckpoint()));
  }

  private boolean isToStop() {
    return communicator.decide(stopRequested || System.nanoTime() - sessionStarted >= timeLimitNanos);
  }

  /** Trains the rest of the epoch under way; false if it is to stop before its end. */
  private boolean trainEpoch(CheckpointSchedule checkpoints, TrainingListener listener) {
    TrainingConfig training = config.training();
    int[] order = training.order(data.train(), split.trained(), progress.epoch());
    Augmentation augmentation = training.augmentation();
    context.setEpoch(progress.epoch());
    Duration interval = listener.progressInterval();
    network.freeze(progress.frozenBlocks());
    int images = progress.images();
    long step = progress.step();
    long started = System.nanoTime();
    long told = started;
    tell(listener, progress, order.length);
    try (ImageFeed.Pass pass =
        trainImages.pass(
            order, images, training.batches().batchSize(), communicator.slice(), progress.epoch(), augmentation)) {
      while (images < order.length && !isToStop()) {
        if (!pass.advance()) { // what was left could not be used
          stage.passOnEnd();
          images = order.length;
          break;
        }
        context.setBatch(pass.count());
        double learningRate = training.learningRate(progress.epoch() - 1 + (double) images / order.length);
        context.setStep(step, learningRate);
        if (pass.staysInPlace() && stage.isWhole()) {
          context.step(stepKind(pass.count()), () -> trainOn(pass));
        } else {
          trainOn(pass);
        }
        recorder.requireNoFailure();
        images = pass.position();
        step++;
        long now = System.nanoTime();
        if (images < order.length && isCheckpointDue(checkpoints, step)) {
          writeCheckpoint(soFar(images, step, started));
          started += System.nanoTime() - now; // writing is no training
        }
        boolean tells = interval != null && now - told >= interval.toNanos();
        boolean records = recorder.recordsStep(step);
        if (communicator.decide(tells || records)) {
          Progress soFar = soFar(images, step, started);
          if (records) {
            recorder.stepsTrained(soFar, learningRate);
          }
          if (tells) {
            tell(listener, soFar, order.length);
            told = now;
          }
        }
      }
    }
    stage.finish();
    List<BlockMetrics> sums = sums(network.readMetrics()); // an epoch lasts until its last stage is through
    progress = progress.later(images, step, secondsSince(started), sums);
    tell(listener, progress, order.length);
    return images == order.length;
  }

  /** Steps that do the same on the same memory: as many images, and the same blocks frozen. */
  private long stepKind(int images) {
    return (long) progress.frozenBlocks() << Integer.SIZE | images;
  }

  private void trainOn(ImageFeed.Pass pass) {
    try (NativeDataSet.Batch batch = pass.batch();
        NativeTensor output = network.trainStep(batch.images(), batch.labels())) {
      stage.passOn(pass, batch.labels(), output);
    }
  }

  /** A state inside the epoch under way. Looks at the metrics only: what the epoch reports is not changed by it. */
  private Progress soFar(int images, long step, long started) {
    return progress.later(images, step, secondsSince(started), sums(network.metricsSoFar()));
  }

  /** Of the epoch under way, all processes together. */
  private List<BlockMetrics> sums(List<BlockMetrics> since) {
    List<BlockMetrics> all = communicator.sum(since);
    return IntStream.range(0, all.size()).mapToObj(block -> progress.sums().get(block).plus(all.get(block))).toList();
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
          "none of the " + split.trained().length + " training images can be used; repair or replace them");
    }
    requireSameNetwork();
    long started = System.nanoTime();
    EpochReport report = model.with(progress.epoch(), () -> evaluateEpoch(started));
    if (report == null) {
      return null;
    }
    OptionalDouble notFinite =
        Stream.of(report.trainLoss(), report.testLoss(), Objects.requireNonNullElse(report.validationLoss(), 0.0))
            .mapToDouble(Double::doubleValue)
            .filter(loss -> !Double.isFinite(loss))
            .findFirst();
    if (notFinite.isPresent()) {
      throw new LayerwiseException(
          String.format(
              Locale.ROOT, "training diverged in epoch %d: the loss is %s; start again with a smaller learning rate%s",
              report.epoch(), notFinite.getAsDouble(),
              recorder.hasOnlyStarted() ? "" : " (the last checkpoint is from before)"));
    }
    if (communicator.isFirst()) {
      recorder.epochEnded(report);
    }
    progress = progress.nextEpoch(report, config.training().freezing(), config.model().losses().alpha());
    return report;
  }

  /**
   * What the epoch under way has given, with the model as it is; keeps that if it is the best so far. {@code null} if it is
   * to stop before all is measured.
   */
  private EpochReport evaluateEpoch(long started) {
    boolean validates = split.heldOut().length > 0;
    List<BlockMetrics> validation = validates ? measure("validation", validationImages, split.heldOut()) : null;
    if (validates && validation == null) {
      return null;
    }
    List<BlockMetrics> test = measure("test", testImages, IntStream.range(0, data.test().count()).toArray());
    if (test == null) {
      return null;
    }
    BlockMetrics held = validates ? validation.get(validation.size() - 1) : null;
    EpochReport report = reports.epoch(progress, test, held, progress.totalSeconds() + secondsSince(started));
    if (config.training().keepsBest() && progress.isImprovedBy(report)) {
      bestWeights.take(network.weights());
    }
    return report;
  }

  /** Each layer's metrics on some images; {@code null} if it is to stop before all are measured. */
  private List<BlockMetrics> measure(String which, ImageFeed images, int[] chosen) {
    List<BlockMetrics> metrics =
        Evaluator.measure(
            network, images, chosen, config.training().batches().batchSize(), communicator, this::isToStop);
    if (metrics == null) {
      return null;
    }
    List<BlockMetrics> all = communicator.sum(metrics);
    Evaluator.output(all, which, chosen.length); // of at least one image
    return all;
  }

  /** What all processes compute has the same bits; where it has not, a machine or a library of one of them is broken. */
  private void requireSameNetwork() {
    if (communicator.slice().isWhole()) {
      return;
    }
    CRC32C sum = new CRC32C();
    network.weights().values().forEach(tensor -> tensor.read(sum::update));
    communicator.requireEqualInStage(
        "the checksum of the network after epoch " + progress.epoch(), Long.toHexString(sum.getValue()));
  }

  private void writeCheckpoint(Progress at) {
    long since = System.nanoTime();
    RunRecorder.NetworkState state = networkState();
    if (communicator.isFirst()) {
      recorder.checkpoint(state, at, context.engineChoices(), since);
    }
  }

  /** Of all stages together, in the first process. */
  private RunRecorder.NetworkState networkState() {
    network.gatherOptimizerState();
    return new RunRecorder.NetworkState(
        communicator.collect(network::weights), communicator.collect(network::optimizerState),
        communicator.collect(bestWeights::weights));
  }

  private static double secondsSince(long nanoTime) {
    return (System.nanoTime() - nanoTime) * 1e-9;
  }

  @Override
  public void close() {
    recorder.close();
    validationImages.close();
    testImages.close();
    trainImages.close();
    bestWeights.close();
    network.close();
  }
}
