package dev.layerwise.settings;

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
@Settings.Group
public record Optimizer(String optim, Double momentum, Double weightDecay) {
  /** The update rules. */
  public static final List<String> RULES = List.of("adam", "amsgrad", "sgd");

  /** The published ones. */
  public static final Optimizer DEFAULT = new Optimizer("adam", 0.0, 0.0);

  /** For networks that are only evaluated: it keeps no state beside the parameters. */
  public static final Optimizer STATELESS = new Optimizer("sgd", 0.0, 0.0);

  /** Checks the values; throws {@link SettingsException}. */
  public Optimizer {
    Rules.oneOf("optim", optim, RULES);
    Rules.belowOne("momentum", momentum);
    Rules.range("weight_decay", weightDecay, 0, 1e6);
  }

  /** These over a base. */
  public Optimizer over(Optimizer base) {
    Optimizer whole = Settings.over(this, base);
    SettingsException.require(
        momentum == null || momentum == 0 || whole.optim.equals("sgd"),
        "{momentum} is a part of sgd; it goes with {optim} sgd");
    return whole;
  }
}
