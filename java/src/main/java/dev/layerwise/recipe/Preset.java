package dev.layerwise.recipe;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.run.RunConfig;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;

/**
 * One of the published runs: the settings in which it differs from the published defaults.
 *
 * @param name data set, network and loss: {@code cifar100-vgg11b-3x-predsim}
 * @param dataset as {@link DataSets} names it
 * @param publishedError test error in percent of a single run; null where none has been recorded
 */
public record Preset(
    String name,
    String dataset,
    @JsonProperty("published_error") Double publishedError,
    @JsonUnwrapped Architecture architecture,
    @JsonUnwrapped Losses losses,
    @JsonUnwrapped Batches batches,
    @JsonUnwrapped @JsonProperty("schedule_group") Schedule schedule, // as in TrainingConfig
    @JsonUnwrapped Optimizer optimizer,
    @JsonUnwrapped Augmentation augmentation,
    @JsonUnwrapped Freezing freezing) {

  /** How the name of {@link #fast()} ends. */
  public static final String FAST = "-fast";

  private static final int FAST_TIMES_FEWER_EPOCHS = 10;
  private static final double FAST_LINEAR_RATE = 8;
  private static final double FAST_CONVOLUTION_RATE = 4;
  private static final String MEASURED_WITH_HOLES = "mnist-mlp-predsim";

  /** The local loss, or {@code global} for backpropagation. */
  public String loss() {
    return Boolean.TRUE.equals(losses.backprop()) ? "global" : losses.loss();
  }

  /** The name's middle: {@code vgg11b-3x}, {@code vgg8b-cutout14}. */
  public String network() {
    String published = name.endsWith(FAST) ? name.substring(0, name.length() - FAST.length()) : name;
    return published.substring(name.indexOf('-') + 1, published.length() - loss().length() - 1);
  }

  /**
   * The same network and losses in a tenth of the epochs. The rate follows one cycle, whose peak is a multiple of the
   * published rate; docs/learning.md has the measurements by which the multiples were chosen. One row has more changes,
   * which were measured for it alone. Its name ends in {@link #FAST}.
   */
  public Preset fast() {
    double multiple = network().startsWith("mlp") ? FAST_LINEAR_RATE : FAST_CONVOLUTION_RATE;
    Schedule oneCycle =
        Settings.partial(
            Schedule.class, "epochs", Math.max(1, schedule.epochs() / FAST_TIMES_FEWER_EPOCHS), "lr",
            multiple * schedule.lr(), "schedule", "one-cycle");
    Preset fast =
        new Preset(
            name + FAST, dataset, publishedError, architecture, losses, fewer(batches), oneCycle, optimizer, augmentation, freezing);
    return name.equals(MEASURED_WITH_HOLES) ? fast.withHoles() : fast;
  }

  /** Smaller shifts and holes instead of dropout, and more weight for the prediction loss, with label smoothing. */
  private Preset withHoles() {
    Augmentation holes = Settings.partial(Augmentation.class, "crop_padding", 1, "n_holes", 1, "length", 6);
    return new Preset(
        name, dataset, publishedError, Settings.with(architecture, "dropout", 0.0),
        Settings.with(losses, "beta", 0.9, "label_smoothing", 0.1), batches, schedule, optimizer,
        augmentation == null ? holes : Settings.over(holes, augmentation), freezing);
  }

  private static Batches fewer(Batches partial) {
    return partial == null || partial.classesPerBatchUntilEpoch() == null ? partial
        : partial.stretched(1.0 / FAST_TIMES_FEWER_EPOCHS);
  }

  /**
   * The configuration of its run with seed 1 on all cores of the processor.
   *
   * @param data its data set, or another to train on in the same way
   */
  public RunConfig runConfig(DataSetInfo data) {
    return Defaults.published(data)
        .with(
            Settings.over(architecture, Architecture.DEFAULT), losses.over(Losses.DEFAULT),
            Settings.over(batches, Batches.DEFAULT), schedule.over(Schedule.DEFAULT), augmentation)
        .with(Settings.over(optimizer, Optimizer.DEFAULT))
        .freezing(Settings.over(freezing, Freezing.NONE));
  }
}
