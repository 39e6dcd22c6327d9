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
import dev.layerwise.settings.Freezing;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.SingleProcess;
import dev.layerwise.train.TrainingRun;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Trains a network on a data set. The results are left in a folder, as those of the command line. What is trained here
 * can be used there (predict, inspect, export, report, embed), and the other way round. On a data set that the command
 * line knows too, by name or as a folder of images, a run of either can also be evaluated and resumed by the other, as
 * far as a {@link Network} can say what it trains; the data of {@link DataSet#of} are known only to the program that
 * made them, and only it can resume and test. The same settings and the same data give the same bits.
 *
 * <p>A trainer is for one thread, but {@link #requestStop} may be called from any.
 */
public final class Trainer {
  private final Network network;
  private final DataSet data;
  private final TrainerSettings settings = new TrainerSettings();
  /** Told what fits of them; {@code null}: all must fit. */
  private Consumer<String> partialWeights;
  private Consumer<Epoch> listener = epoch -> { };
  /** The run under way. */
  private TrainingRun running;
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
  }

  /**
   * Passes over the training images.
   *
   * @param count at least 1
   * @return this
   * @throws LayerwiseException if it is not
   */
  public Trainer epochs(int count) {
    settings.schedule("epochs", count);
    return this;
  }

  /**
   * Images per step; the last, smaller batch of an epoch is trained too.
   *
   * @param count at least 1; at least 2 for a network with batch normalization
   * @return this
   * @throws LayerwiseException if it is not positive
   */
  public Trainer batchSize(int count) {
    settings.batches("batch_size", count);
    return this;
  }

  /**
   * Batches of few classes: they begin with some images, and are filled with others of their classes.
   *
   * @param images that a batch begins with, at most as many as it has; 0 (the default): batches of any classes
   * @param untilEpoch last epoch, counted from 1, with such batches; 0: all have them
   * @return this
   * @throws LayerwiseException if a number is out of its range
   */
  public Trainer classesPerBatch(int images, int untilEpoch) {
    settings.batches(
        "classes_per_batch", images, "classes_per_batch_until_epoch", images == 0 ? null : (Integer) untilEpoch);
    return this;
  }

  /**
   * The learning rate at the start.
   *
   * @param rate positive
   * @return this
   * @throws LayerwiseException if it is not, or not finite
   */
  public Trainer learningRate(double rate) {
    settings.schedule("lr", rate);
    return this;
  }

  /**
   * When the learning rate falls; by default it does not.
   *
   * @param factor by which it is multiplied each time, positive
   * @param afterEpochs counted from 1
   * @return this
   * @throws LayerwiseException if a number is out of its range
   */
  public Trainer decay(double factor, int... afterEpochs) {
    List<Integer> milestones = IntStream.of(afterEpochs).boxed().toList();
    settings.schedule("lr_decay_milestones", milestones, "lr_decay_fact", factor);
    return this;
  }

  /**
   * Ends the run early.
   *
   * @param epochs without an improvement after which it ends, of the validation error or, without {@link #validation}, of
   *     the test error; 0 (the default): it does not
   * @return this
   * @throws LayerwiseException if it is negative
   */
  public Trainer patience(int epochs) {
    settings.schedule("patience", epochs);
    return this;
  }

  /**
   * Holds out a part of the training images, drawn from each class alike by the seed, and measures on them after every
   * epoch. {@link #patience} then looks at the error on these images and never at the test images, and the run's model is
   * that of the epoch with the lowest.
   *
   * @param fraction of the training images, below 1; 0 (the default): none
   * @return this
   * @throws LayerwiseException if it is out of its range
   */
  public Trainer validation(double fraction) {
    settings.batches("validation", fraction);
    return this;
  }

  /**
   * Stops training hidden blocks after these epochs, from the front; by default all are trained to the end. A frozen block
   * passes images on as in evaluation, with running statistics and without dropout.
   *
   * @param epochs after which the first hidden block, the second and so on are frozen, not falling
   * @return this
   * @throws LayerwiseException if they fall, or are not positive
   */
  public Trainer freezeAfter(int... epochs) {
    String text = IntStream.of(epochs).mapToObj(Integer::toString).collect(Collectors.joining(","));
    settings.freezing(text.isEmpty() ? "none" : text);
    return this;
  }

  /**
   * Stops training a hidden block when those before it are frozen and it has stopped learning: when its local training
   * error, or without a classifier of the labels its local loss, has not fallen by 1 % for two epochs.
   *
   * @return this
   */
  public Trainer freezeAutomatically() {
    settings.freezing(Freezing.AUTO);
    return this;
  }

  /**
   * The rule by which every block updates its parameters.
   *
   * @param rule {@link Optimizer#ADAM} by default
   * @param momentum of sgd, in [0, 1); 0 for the others
   * @param weightDecay L2 penalty; of adamw the part of a parameter that a step at rate 1 takes away
   * @return this
   * @throws LayerwiseException if the rule does not take such numbers
   */
  public Trainer optimizer(Optimizer rule, double momentum, double weightDecay) {
    return optimizer(rule.toString(), momentum, weightDecay);
  }

  /**
   * The same by the rule's name.
   *
   * @param rule as {@code config.json} has it: {@code sgd}
   * @param momentum of sgd, in [0, 1); 0 for the others
   * @param weightDecay L2 penalty; of adamw the part of a parameter that a step at rate 1 takes away
   * @return this
   * @throws LayerwiseException if there is no such rule, or it does not take such numbers
   */
  public Trainer optimizer(String rule, double momentum, double weightDecay) {
    settings.optimizer(rule, momentum, weightDecay);
    return this;
  }

  /**
   * How training images vary; by default as is usual for the data set.
   *
   * @param padding black pixels around an image before it is cropped at random to its own size; 0: no crop
   * @param mirrored whether half of the images are mirrored
   * @return this
   * @throws LayerwiseException if there cannot be so many
   */
  public Trainer augmentation(int padding, boolean mirrored) {
    settings.augmentation("crop_padding", padding, "horizontal_flip", mirrored);
    return this;
  }

  /**
   * Sets squares of every training image to the data's mean.
   *
   * @param squares per image; 0 (the default): none
   * @param side of each, in pixels
   * @return this
   * @throws LayerwiseException if a number is out of its range
   */
  public Trainer cutout(int squares, int side) {
    settings.augmentation("n_holes", squares, "length", squares == 0 ? 0 : side);
    return this;
  }

  /**
   * Any setting of training by its name in {@code config.json}: {@code "weight_decay"}.
   *
   * @param name of the setting
   * @param value of its type: an Integer, a Double, a Boolean, a String or a list
   * @return this
   * @throws LayerwiseException if it is out of its range
   * @throws IllegalArgumentException if there is no such setting, or it has another type
   */
  public Trainer setting(String name, Object value) {
    settings.any(name, value);
    return this;
  }

  /**
   * What all random numbers depend on.
   *
   * @param number 1 by default
   * @return this
   */
  public Trainer seed(long number) {
    settings.seed(number);
    return this;
  }

  /**
   * Where to compute.
   *
   * @param name {@code cpu} (the default), {@code cuda} or {@code reference}
   * @param count of threads, which decides the last bits; 0 (the default): one per core
   * @return this
   */
  public Trainer device(String name, int count) {
    return device(Device.of(name, count));
  }

  /**
   * Where and how to compute: the precision, too.
   *
   * @param device with its precision
   * @return this
   */
  public Trainer device(Device device) {
    settings.device(device.options());
    return this;
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
    partialWeights = null;
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
    partialWeights = Objects.requireNonNull(listener);
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
      return run(
          TrainingRun.start(context, wanted.on(context.inUse()), data.loaded(), directory, new SingleProcess()));
    }
  }

  /**
   * Goes on with a run that was stopped or killed; it ends with the same bits as one that was not. What this trainer
   * was not told it takes from the run; what it was told must be what the run was started with, but {@link #epochs}.
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
        return run(TrainingRun.resume(context, folder, config, data.loaded(), directory, new SingleProcess()));
      }
    }
  }

  private static NativeContext context(RunConfig config) {
    return NativeContext.create(config.device(), config.training().seed());
  }

  private Outcome run(TrainingRun run) {
    try (run) {
      entrust(run);
      if (partialWeights != null) {
        run.weightSummary().forEach(partialWeights);
      }
      TrainingResult result = run.run(SessionSettings.DEFAULT, report -> listener.accept(Epoch.of(report)));
      return new Outcome(result.finished(), result.epochs(), result.testError(), result.seconds());
    } finally {
      entrust(null);
    }
  }

  private synchronized void entrust(TrainingRun run) {
    running = run;
    if (run == null) {
      stopRequested = false;
    } else if (stopRequested) {
      run.requestStop();
    }
  }

  /** Asks the run under way, or else the next one, to stop after the step in hand; from any thread. */
  public synchronized void requestStop() {
    stopRequested = true;
    if (running != null) {
      running.requestStop();
    }
  }
}
