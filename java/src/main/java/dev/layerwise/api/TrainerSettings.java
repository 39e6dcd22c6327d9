package dev.layerwise.api;

import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.nativelib.DeviceChoice;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.recipe.Defaults;
import dev.layerwise.run.InitialWeights;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.nio.file.Path;
import java.util.List;

/** What a {@link Trainer} was asked for. A new run has the usual values of the rest, and a resumed one keeps its own. */
final class TrainerSettings {
  /** Few epochs, through which the learning rate stays. */
  private static final Schedule USUAL = Settings.partial(Schedule.class, "epochs", 10, "lr_decay_milestones", List.of());

  private Schedule schedule = Settings.partial(Schedule.class);
  private Batches batches = Settings.partial(Batches.class);
  private Optimizer optimizer = Settings.partial(Optimizer.class);
  private Augmentation augmentation = Settings.partial(Augmentation.class);
  private Freezing freezing = Settings.partial(Freezing.class);
  private Long seed;
  private DeviceOptions device;
  private Path initialWeights;
  private boolean partialWeights;

  /** Asks for more, over what was asked for before: names as in {@code config.json}, each with its value. */
  void schedule(Object... namesAndValues) {
    schedule = Settings.with(schedule, namesAndValues);
  }

  void batches(Object... namesAndValues) {
    batches = Settings.with(batches, namesAndValues);
  }

  void augmentation(Object... namesAndValues) {
    augmentation = Settings.with(augmentation, namesAndValues);
  }

  void freezing(String value) {
    freezing = new Freezing(value);
  }

  /** A rule as a whole, in place of what was asked for before. */
  void optimizer(String rule, double momentum, double weightDecay) {
    optimizer =
        Settings.partial(Optimizer.class, "optim", rule, "momentum", momentum, "weight_decay", weightDecay)
            .over(Optimizer.DEFAULT);
  }

  /** Any of these; throws {@link IllegalArgumentException} if there is none of that name. */
  void any(String name, Object value) {
    if (Settings.has(Schedule.class, name)) {
      schedule(name, value);
    } else if (Settings.has(Augmentation.class, name)) {
      augmentation(name, value);
    } else if (Settings.has(Freezing.class, name)) {
      freezing = Settings.with(freezing, name, value);
    } else if (Settings.has(Batches.class, name)) {
      batches(name, value);
    } else {
      optimizer = Settings.with(optimizer, name, value);
    }
  }

  void seed(long number) {
    seed = number;
  }

  void device(DeviceOptions options) {
    device = options;
  }

  /** Weights to start from; {@code partial}: those of them that fit. */
  void initialWeights(Path weights, boolean partial) {
    initialWeights = weights;
    partialWeights = partial;
  }

  /** A new run of the rest of which nothing was said. */
  RunConfig ofNewRun(DataSet data, ModelConfig model) {
    RunConfig published = Defaults.published(data.loaded().info());
    return over(
        published.with(
            model.architecture(), model.losses(), Batches.DEFAULT, Settings.over(USUAL, Schedule.DEFAULT), null),
        data, model);
  }

  /** These over a base. */
  RunConfig over(RunConfig base, DataSet data, ModelConfig model) {
    TrainingConfig training = base.training();
    Augmentation changes = augmentation.over(training.augmentation());
    changes.requireFit(training.dataset(), data.loaded().train() instanceof StreamedImages);
    return new RunConfig(
        model,
        optimizer.over(base.optimizer()),
        new TrainingConfig(
            training.dataset(), data.loaded().info().resize(), batches.over(training.batches()),
            schedule.over(training.schedule()), changes, freezing.over(training.freezing()), or(seed, training.seed())),
        deviceOver(base.device()),
        initialWeights == null ? base.init() : InitialWeights.of(initialWeights, partialWeights));
  }

  /** What belongs to another device is not carried over. */
  private DeviceOptions deviceOver(DeviceOptions base) {
    if (device == null) {
      return base;
    }
    DeviceOptions asked = DeviceChoice.of(device).options(); // the recorded device may be what "auto" is
    return !asked.device().equals(base.device()) ? asked
        : new DeviceOptions(
            asked.device(), asked.threads(), unlessAuto(asked.precision(), base.precision()),
            unlessAuto(asked.engine(), base.engine()), asked.tf32(), base.engineChoices());
  }

  private static String unlessAuto(String given, String base) {
    return given.equals("auto") ? base : given;
  }

  private static <T> T or(T given, T base) {
    return given == null ? base : given;
  }
}
