package dev.layerwise.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.OptimizerConfig;
import dev.layerwise.nativelib.DeviceOptions;
import java.util.Objects;

/**
 * A run's whole configuration, as {@code config.json} holds it: two runs of the same configuration end
 * with the same bits.
 *
 * @param init where the weights come from at the start; {@code null}: from random numbers
 */
public record RunConfig(
    ModelConfig model, OptimizerConfig optimizer, TrainingConfig training, DeviceOptions device,
    @JsonInclude(JsonInclude.Include.NON_NULL) InitialWeights init) {
  /** Throws {@link NullPointerException} if a part is missing. */
  public RunConfig {
    Objects.requireNonNull(model);
    Objects.requireNonNull(optimizer);
    Objects.requireNonNull(training);
    Objects.requireNonNull(device);
  }

  /** The same on another device. */
  public RunConfig on(DeviceOptions other) {
    return new RunConfig(model, optimizer, training, other, init);
  }

  /** A run that starts from random weights. */
  public RunConfig(ModelConfig model, OptimizerConfig optimizer, TrainingConfig training, DeviceOptions device) {
    this(model, optimizer, training, device, null);
  }
}
