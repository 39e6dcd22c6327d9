package dev.layerwise.cli;

import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelException;
import dev.layerwise.model.Networks;
import dev.layerwise.settings.Rules;
import java.util.List;

/** Checks of option values; what they throw is a usage error. */
final class Checks {
  private Checks() {}

  /** A usage error found while a command runs; {@link Main} exits with code 2. */
  static final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
      super(message);
    }
  }

  static void usage(boolean condition, String message) {
    if (!condition) {
      throw new UsageException(message);
    }
  }

  static void oneOf(String option, String value, List<String> known) {
    usage(
        value == null || known.contains(value),
        option + ": unknown value '" + value + "'; choose from " + String.join(", ", known));
  }

  /** NaN is in no range. */
  static void range(String option, Number value, double least, double most) {
    usage(Rules.isIn(value, least, most), Rules.notIn(option, value, least, most));
  }

  /** The layer with that name or number. */
  static Layer layer(Model model, String nameOrNumber) {
    try {
      return model.layer(nameOrNumber);
    } catch (ModelException e) { // no such layer
      throw new UsageException("--layer: " + e.getMessage());
    }
  }

  /** Throws a usage error unless the network has a layer with that name or number. */
  static void layer(ModelConfig config, String nameOrNumber) {
    List<LayerSpec> layers = Networks.layers(config);
    try {
      Networks.position(layers, nameOrNumber);
    } catch (ModelException e) { // no such layer
      throw new UsageException("--layer: " + e.getMessage());
    }
  }

  static <T> T or(T given, T fallback) {
    return given == null ? fallback : given;
  }
}
