package dev.layerwise.model;

import dev.layerwise.safetensors.TensorSource;
import java.util.Locale;
import java.util.Map;

/** A look at stored weights before anything is built for them: a damaged description may ask for any amount of memory. */
public final class StoredWeights {
  private StoredWeights() {}

  /**
   * Checks that every block finds at least as many values as its own layer has weights. It is a lower bound; {@link
   * DeviceNetwork#setWeights} checks each tensor's shape.
   *
   * @throws ModelException if the configuration's network cannot be built, or is larger than what is stored
   */
  public static void check(ModelConfig config, Map<String, ? extends TensorSource> weights) {
    for (LayerSpec layer : Networks.layers(config)) {
      String prefix = layer.name() + ".";
      long stored = 0;
      for (Map.Entry<String, ? extends TensorSource> tensor : weights.entrySet()) {
        if (tensor.getKey().startsWith(prefix)) {
          stored += tensor.getValue().byteCount() / tensor.getValue().type().bytes();
        }
      }
      double needed = LayerCosts.weights(layer) + (hasProjectedTargets(config, layer) ? config.losses().targetProjSize() : 0);
      if (stored < needed) {
        throw new ModelException(
            String.format(
                Locale.ROOT, "the weights of '%s' are %d values, but the network that the file describes needs at least %.0f",
                layer.name(), stored, needed));
      }
    }
  }

  /** Whether a local classifier has an output for every bit of a projected target. */
  private static boolean hasProjectedTargets(ModelConfig config, LayerSpec layer) {
    return config.losses().hasProjectedTargets() && layer.hasLoss() && layer.kind() != LayerSpec.Kind.OUTPUT;
  }
}
