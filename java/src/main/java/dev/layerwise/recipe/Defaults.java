package dev.layerwise.recipe;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.util.List;

/** What a run does where nothing else is said: with seed 1, on all cores of the processor. */
public final class Defaults {
  private static final String DIGITS = "digits";

  /** The recipe for the digits that come with the program. */
  private static final Architecture DIGITS_ARCHITECTURE =
      Settings.partial(
          Architecture.class, "model", "mlp", "num_layers", 3, "num_hidden", 256, "nonlin", "leakyrelu", "dropout", 0.1);

  private static final Batches DIGITS_BATCHES = Settings.partial(Batches.class, "batch_size", 64);
  private static final Schedule DIGITS_SCHEDULE =
      Settings.partial(Schedule.class, "epochs", 30, "lr_decay_milestones", List.of(15, 22, 27));

  private Defaults() {}

  /** The digits recipe for digits; for every other data set the published code's defaults. */
  public static RunConfig of(DataSetInfo data) {
    return data.name().equals(DIGITS)
        ? published(data).with(
            Settings.over(DIGITS_ARCHITECTURE, Architecture.DEFAULT), Losses.DEFAULT,
            Settings.over(DIGITS_BATCHES, Batches.DEFAULT), Settings.over(DIGITS_SCHEDULE, Schedule.DEFAULT), null)
        : published(data);
  }

  /** The published code's defaults, and the augmentation that is usual for the data set. */
  public static RunConfig published(DataSetInfo data) {
    ModelConfig model =
        new ModelConfig(
            Architecture.DEFAULT, Losses.DEFAULT, new ImageShape(data.channels(), data.height(), data.width()),
            data.classes(), null);
    Augmentation usual =
        Settings.with(
            Augmentation.NONE, "crop_padding", data.cropPadding(), "horizontal_flip", data.horizontalFlip(), "crop_scale",
            data.resize() == null ? null : (Double) Augmentation.USUAL_CROP_SCALE);
    TrainingConfig training =
        new TrainingConfig(data.name(), data.resize(), Batches.DEFAULT, Schedule.DEFAULT, usual, 1);
    return new RunConfig(model, Optimizer.DEFAULT, training, DeviceOptions.of(DeviceOptions.AUTO, 0));
  }
}
