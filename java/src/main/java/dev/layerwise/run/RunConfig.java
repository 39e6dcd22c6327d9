package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.util.Objects;

/**
 * A run's whole configuration, as {@code config.json} holds it: two runs of the same configuration end
 * with the same bits.
 *
 * @param init where the weights come from at the start; {@code null}: from random numbers
 */
@Settings.Group
public record RunConfig(
    ModelConfig model, Optimizer optimizer, TrainingConfig training, DeviceOptions device,
    @Settings.MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) InitialWeights init) {
  /** Throws {@link NullPointerException} if a part is missing. */
  public RunConfig {
    Objects.requireNonNull(model);
    Settings.requireWhole(optimizer);
    Objects.requireNonNull(training);
    Objects.requireNonNull(device);
  }

  /** The same on another device. */
  public RunConfig on(DeviceOptions other) {
    return new RunConfig(model, optimizer, training, other, init);
  }

  /** The same with other settings, which are whole; the augmentation is partial, or null for the same. */
  public RunConfig with(
      Architecture architecture, Losses losses, Batches batches, Schedule schedule, Augmentation augmentation) {
    return new RunConfig(
        new ModelConfig(architecture, losses, model.images(), model.classes(), model.network()), optimizer,
        new TrainingConfig(
            training.dataset(), batches, schedule, Settings.over(augmentation, training.augmentation()), training.seed()),
        device, init);
  }

  /** A run that starts from random weights. */
  public RunConfig(ModelConfig model, Optimizer optimizer, TrainingConfig training, DeviceOptions device) {
    this(model, optimizer, training, device, null);
  }
}
