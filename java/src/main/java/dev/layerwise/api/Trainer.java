package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.Networks;
import dev.layerwise.model.OptimizerConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.train.InitialWeights;
import dev.layerwise.train.RunConfig;
import dev.layerwise.train.RunDirectory;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.TrainingConfig;
import dev.layerwise.train.TrainingResult;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Trains a network on a data set. The results are left in a folder, as those of the command line: what is trained here
 * can be resumed, evaluated and used there, and the other way round. The same settings and the same data give the same
 * bits.
 *
 * <p>A trainer is for one thread, but {@link #requestStop} may be called from any.
 */
public final class Trainer {
  private final Network network;
  private final DataSet data;
  private int epochs = 10;
  private int batchSize = 128;
  private double learningRate = 5e-4;
  private int[] decayAfter = {};
  private double decayFactor = 0.25;
  private OptimizerConfig optimizer = new OptimizerConfig("adam", 0, 0);
  private int cropPadding;
  private boolean horizontalFlip;
  private long seed = 1;
  private DeviceOptions device = DeviceOptions.of("cpu", 0);
  private Path initialWeights;
  private Consumer<Epoch> listener = epoch -> { };
  /** The run under way. */
  private dev.layerwise.train.Trainer running;
  private boolean stopRequested;

  /**
   * How a run ended.
   *
   * @param finished whether all epochs are done; otherwise it was stopped and can be resumed
   * @param epochs finished ones
   * @param testError after the last finished epoch, in percent; {@code null} if there is none
   * @param seconds spent in the run, earlier sessions included
   */
  public record Outcome(boolean finished, int epochs, Double testError, double seconds) {}

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
    DataSetInfo info = data.loaded().info();
    cropPadding = info.cropPadding();
    horizontalFlip = info.horizontalFlip();
  }

  /**
   * Passes over the training images.
   *
   * @param count at least 1
   * @return this
   */
  public Trainer epochs(int count) {
    epochs = positive(count, "epochs");
    return this;
  }

  /**
   * Images per step; the last, smaller batch of an epoch is trained too.
   *
   * @param count at least 1
   * @return this
   */
  public Trainer batchSize(int count) {
    batchSize = positive(count, "images in a batch");
    return this;
  }

  /**
   * The learning rate at the start.
   *
   * @param rate positive
   * @return this
   */
  public Trainer learningRate(double rate) {
    if (!(rate > 0)) {
      throw new LayerwiseException("the learning rate must be positive, not " + rate);
    }
    learningRate = rate;
    return this;
  }

  /**
   * When the learning rate falls; by default it does not.
   *
   * @param factor by which it is multiplied each time
   * @param afterEpochs counted from 1
   * @return this
   */
  public Trainer decay(double factor, int... afterEpochs) {
    decayFactor = factor;
    decayAfter = afterEpochs.clone();
    return this;
  }

  /**
   * The rule by which every block updates its parameters.
   *
   * @param rule {@code adam} (the default), {@code amsgrad} or {@code sgd}
   * @param momentum of sgd, in [0, 1); 0 for the others
   * @param weightDecay L2 penalty
   * @return this
   * @throws LayerwiseException if there is no such rule
   */
  public Trainer optimizer(String rule, double momentum, double weightDecay) {
    optimizer = new OptimizerConfig(rule, momentum, weightDecay);
    return this;
  }

  /**
   * How training images vary; by default as is usual for the data set.
   *
   * @param padding black pixels around an image before it is cropped at random to its own size; 0: no crop
   * @param mirrored whether half of the images are mirrored
   * @return this
   */
  public Trainer augmentation(int padding, boolean mirrored) {
    cropPadding = padding;
    horizontalFlip = mirrored;
    return this;
  }

  /**
   * What all random numbers depend on.
   *
   * @param number 1 by default
   * @return this
   */
  public Trainer seed(long number) {
    seed = number;
    return this;
  }

  /**
   * Where to compute.
   *
   * @param name {@code cpu} (the default) or {@code reference}
   * @param count of threads, which decides the last bits; 0 (the default): one per core
   * @return this
   */
  public Trainer device(String name, int count) {
    return device(DeviceOptions.of(name, count));
  }

  /**
   * Where and how to compute: the precision, too.
   *
   * @param options of the device
   * @return this
   */
  public Trainer device(DeviceOptions options) {
    device = Objects.requireNonNull(options);
    return this;
  }

  /**
   * Starts from weights in a file instead of random ones.
   *
   * @param weights a safetensors file with the names of PyTorch's state_dict, or a run's folder
   * @return this
   */
  public Trainer initialWeights(Path weights) {
    initialWeights = weights;
    return this;
  }

  /**
   * Who is told of every epoch, on the training thread.
   *
   * @param consumer of reports
   * @return this
   */
  public Trainer onEpoch(Consumer<Epoch> consumer) {
    listener = Objects.requireNonNull(consumer);
    return this;
  }

  /**
   * Trains until all epochs are done or a stop is asked for.
   *
   * @param folder for config.json, metrics.jsonl, checkpoint.safetensors and, at the end, model.safetensors, which
   *     {@link Model#open} takes; made where it is missing
   * @return how it ended
   * @throws LayerwiseException if the folder holds a run already or cannot be written, the network does not go with the
   *     images, or training diverges
   */
  public Outcome train(Path folder) {
    ModelConfig model = network.configFor(data);
    Networks.layers(model); // says what cannot work before anything is written
    InitialWeights init = initialWeights == null ? null : InitialWeights.of(initialWeights);
    RunConfig config = new RunConfig(model, optimizer, training(), NativeContext.resolve(device), init);
    try (RunDirectory directory = RunDirectory.open(folder)) {
      if (directory.holdsRun()) {
        throw new LayerwiseException("the folder " + folder + " already holds a run; resume it, or choose another");
      }
      return run(dev.layerwise.train.Trainer.start(config, data.loaded(), directory));
    }
  }

  /**
   * Goes on with a run that was stopped or killed; it ends with the same bits as one that was not. It keeps all its
   * settings but the number of epochs.
   *
   * @param folder of the run
   * @return how it ended
   * @throws LayerwiseException if there is no run to resume
   */
  public Outcome resume(Path folder) {
    RunConfig recorded = dev.layerwise.train.Trainer.configOf(folder);
    RunConfig config =
        new RunConfig(
            recorded.model(), recorded.optimizer(), recorded.training().withEpochs(epochs), recorded.device(),
            recorded.init());
    try (RunDirectory directory = RunDirectory.open(folder)) {
      return run(dev.layerwise.train.Trainer.resume(folder, config, data.loaded(), directory));
    }
  }

  private Outcome run(dev.layerwise.train.Trainer trainer) {
    try (trainer) {
      entrust(trainer);
      TrainingResult result = trainer.run(SessionSettings.DEFAULT, report -> listener.accept(Epoch.of(report)));
      return new Outcome(result.finished(), result.epochs(), result.testError(), result.seconds());
    } finally {
      entrust(null);
    }
  }

  private synchronized void entrust(dev.layerwise.train.Trainer trainer) {
    running = trainer;
    if (trainer == null) {
      stopRequested = false;
    } else if (stopRequested) {
      trainer.requestStop();
    }
  }

  /** Asks the run under way, or else the next one, to stop after the step in hand; from any thread. */
  public synchronized void requestStop() {
    stopRequested = true;
    if (running != null) {
      running.requestStop();
    }
  }

  private TrainingConfig training() {
    List<Integer> milestones = IntStream.of(decayAfter).boxed().toList();
    return new TrainingConfig(
        data.name(), epochs, batchSize, 0, 0, learningRate, milestones, decayFactor, cropPadding, horizontalFlip, 0, 0,
        seed);
  }

  private static int positive(int count, String what) {
    if (count < 1) {
      throw new LayerwiseException("there must be at least 1 of the " + what + ", not " + count);
    }
    return count;
  }
}
