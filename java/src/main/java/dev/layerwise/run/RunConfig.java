package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.Networks;
import dev.layerwise.model.StageCuts;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import dev.layerwise.settings.SettingsException;
import java.util.List;
import java.util.Objects;

/**
 * A run's whole configuration, as {@code config.json} holds it: two runs of the same configuration end
 * with the same bits.
 *
 * @param init where the weights come from at the start; {@code null}: from random numbers
 * @param processes how many train together, each with a slice of every batch; {@code null}: one. Another number is the same
 *     training with other roundings
 * @param stages the layers of each stage of a pipeline, such as {@code 0-2,3-7}; {@code null}: no pipeline. It changes no bit.
 *     Each stage has so many processes as {@code processes} says
 * @param statistics of several processes: {@code local} if batch norm and the similarity loss see each process's own images
 *     only; {@code null}: those of all
 * @param reduce of several processes: {@code engine} if gradients are added as MPI does it; {@code null}: in the order of ranks
 */
@Settings.Group
public record RunConfig(
    ModelConfig model, Optimizer optimizer, TrainingConfig training, DeviceOptions device,
    @Settings.MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) InitialWeights init,
    @Settings.MayBeAbsent @Settings.MayChange @JsonInclude(JsonInclude.Include.NON_NULL) Integer processes,
    @Settings.MayBeAbsent @Settings.MayChange @JsonInclude(JsonInclude.Include.NON_NULL) String stages,
    @Settings.MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) String statistics,
    @Settings.MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) String reduce) {
  /** What {@link #statistics} can be, the usual one first. */
  public static final List<String> STATISTICS = List.of("global", "local");

  /** What {@link #reduce} can be, the usual one first. */
  public static final List<String> REDUCE = List.of("ordered", "engine");

  /**
   * Throws {@link NullPointerException} if a part is missing, {@link dev.layerwise.settings.SettingsException} if parts do
   * not go together: weights with whitening, mixed images with binary targets, or the network's blocks with how they are to be
   * frozen.
   */
  public RunConfig {
    Objects.requireNonNull(model);
    Settings.requireWhole(optimizer);
    training = training.inFull(model.images());
    Objects.requireNonNull(device);
    if (init != null && model.architecture().whitens()) {
      throw new SettingsException(
          "{whiten} computes the first layer's weights from the training images; it does not go with weights from a file"
              + " ({init})");
    }
    if (training.augmentation().mixesImages() && model.losses().bio()) {
      throw new SettingsException(
          "{mixup} and {cutmix} make targets of two classes; those of {bio} are codes of one: leave out {bio} or them");
    }
    if (training.freezing().freezes()) {
      long trained = Networks.layers(model).stream().filter(LayerSpec::hasLoss).count();
      training.freezing().requireFit(model.losses(), (int) trained - 1);
    }
  }

  /** The same on another device. */
  public RunConfig on(DeviceOptions other) {
    return new RunConfig(model, optimizer, training, other, init, processes, stages, statistics, reduce);
  }

  /** The same with another seed. */
  public RunConfig withSeed(long seed) {
    return new RunConfig(
        model, optimizer, training.withSeed(seed), device, init, processes, stages, statistics, reduce);
  }

  /** The same with other settings, which are whole; the augmentation is partial, or null for the same. */
  public RunConfig with(
      Architecture architecture, Losses losses, Batches batches, Schedule schedule, Augmentation augmentation) {
    return new RunConfig(
        new ModelConfig(architecture, losses, model.images(), model.classes(), model.network()), optimizer,
        new TrainingConfig(
            training.dataset(), training.resize(), batches, schedule,
            augmentation == null ? training.augmentation() : augmentation.over(training.augmentation()), training.freezing(),
            training.seed()),
        device, init, processes, stages, statistics, reduce);
  }

  /** The same with another optimizer, which is whole. */
  public RunConfig with(Optimizer other) {
    return new RunConfig(model, other, training, device, init, processes, stages, statistics, reduce);
  }

  /** The same with its blocks frozen otherwise. */
  public RunConfig freezing(Freezing other) {
    TrainingConfig with =
        new TrainingConfig(
            training.dataset(), training.resize(), training.batches(), training.schedule(), training.augmentation(), other,
            training.seed());
    return new RunConfig(model, optimizer, with, device, init, processes, stages, statistics, reduce);
  }

  /** The same trained by so many processes. */
  public RunConfig by(int number) {
    return new RunConfig(model, optimizer, training, device, init, number == 1 ? null : (Integer) number, stages,
        statistics, reduce);
  }

  /** The same trained by a pipeline of these stages; {@code null}: by none. */
  public RunConfig inStages(StageCuts cuts) {
    return new RunConfig(
        model, optimizer, training, device, init, processes, cuts == null ? null : cuts.toString(), statistics, reduce);
  }

  /** The same with another of {@link #STATISTICS} and of {@link #REDUCE}; {@code null} keeps its own. */
  public RunConfig exchanging(String otherStatistics, String otherReduce) {
    return new RunConfig(
        model, optimizer, training, device, init, processes, stages,
        otherStatistics == null ? statistics : unusual(otherStatistics, STATISTICS),
        otherReduce == null ? reduce : unusual(otherReduce, REDUCE));
  }

  private static String unusual(String value, List<String> values) {
    return value.equals(values.get(0)) ? null : value;
  }

  /** A run of one process. */
  public RunConfig(
      ModelConfig model, Optimizer optimizer, TrainingConfig training, DeviceOptions device, InitialWeights init) {
    this(model, optimizer, training, device, init, null, null, null, null);
  }

  /** A run that starts from random weights. */
  public RunConfig(ModelConfig model, Optimizer optimizer, TrainingConfig training, DeviceOptions device) {
    this(model, optimizer, training, device, null);
  }
}
