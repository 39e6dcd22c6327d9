package dev.layerwise.model;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;

/**
 * The rule by which every block updates its own parameters.
 *
 * @param optim {@code adam}, {@code amsgrad} or {@code sgd}
 * @param momentum of sgd, in [0, 1)
 * @param weightDecay L2 penalty, added to the gradient of every trained parameter
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record OptimizerConfig(String optim, double momentum, double weightDecay) {
  /** The update rules. */
  public static final List<String> RULES = List.of("adam", "amsgrad", "sgd");

  /** Checks the rule's name; throws {@link ModelException} for one that this version does not know. */
  public OptimizerConfig {
    if (optim == null || !RULES.contains(optim)) {
      throw new ModelException("there is no optimizer '" + optim + "'");
    }
  }

  /** For networks that are only evaluated: it keeps no state beside the parameters. */
  public static OptimizerConfig stateless() {
    return new OptimizerConfig("sgd", 0, 0);
  }
}
