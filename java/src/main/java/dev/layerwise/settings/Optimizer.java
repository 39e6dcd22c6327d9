package dev.layerwise.settings;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.settings.Settings.MayBeAbsent;
import java.util.List;

/**
 * The rule by which every block updates its own parameters.
 *
 * @param optim {@code adam}, {@code adamw}, {@code amsgrad} or {@code sgd}
 * @param momentum of sgd, in [0, 1)
 * @param weightDecay L2 penalty, added to the gradient of every trained parameter; of adamw the part of a parameter that a
 *     step at rate 1 takes away
 * @param nesterov whether sgd's momentum is Nesterov's; null: no
 * @param clipGradNorm largest norm of all gradients of a block together: larger ones are scaled down to it; null or 0: none
 * @param lrMultBatchNorm factor of the learning rate for batch norm's scales and shifts; null: 1
 * @param lrMultClassifiers factor of the learning rate for the local classifiers and the output layer; null: 1
 * @param emaDecay of the exponential moving average of the weights, which is then the model, in [0, 1); null or 0: there is
 *     none
 * @param lookaheadSteps after how many steps the weights go back to their slow average, which is then the model; null or 0:
 *     there is none
 * @param lookaheadAlpha how far the slow average goes towards the weights each time, in (0, 1]; null: 0.5
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Optimizer(
    String optim,
    Double momentum,
    Double weightDecay,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Boolean nesterov,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double clipGradNorm,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double lrMultBatchNorm,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double lrMultClassifiers,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double emaDecay,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Integer lookaheadSteps,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double lookaheadAlpha) {
  /** The update rules. */
  public static final List<String> RULES = List.of("adam", "adamw", "amsgrad", "sgd");

  /** The published ones. */
  public static final Optimizer DEFAULT = plain("adam");

  /** For networks that are only evaluated: it keeps no state beside the parameters. */
  public static final Optimizer STATELESS = plain("sgd");

  private static final int MOST_STEPS = 1_000_000;

  /** Checks the values; throws {@link SettingsException}. */
  public Optimizer {
    Rules.oneOf("optim", optim, RULES);
    Rules.belowOne("momentum", momentum);
    Rules.range("weight_decay", weightDecay, 0, 1e6);
    Rules.range("clip_grad_norm", clipGradNorm, 0, 1e6);
    Rules.range("lr_mult_batch_norm", lrMultBatchNorm, 0, 1e6);
    Rules.range("lr_mult_classifiers", lrMultClassifiers, 0, 1e6);
    Rules.belowOne("ema_decay", emaDecay);
    Rules.range("lookahead_steps", lookaheadSteps, 0, MOST_STEPS);
    Rules.positive("lookahead_alpha", lookaheadAlpha, 1);
  }

  private static Optimizer plain(String optim) {
    return new Optimizer(optim, 0.0, 0.0, null, null, null, null, null, null, null);
  }

  /** These over a base. */
  public Optimizer over(Optimizer base) {
    Optimizer whole = Settings.over(this, base);
    boolean hasMomentum = whole.optim.equals("sgd") && whole.momentum > 0;
    SettingsException.require(
        momentum == null || momentum == 0 || whole.optim.equals("sgd"),
        "{momentum} is a part of sgd; it goes with {optim} sgd");
    SettingsException.require(
        !Boolean.TRUE.equals(nesterov) || hasMomentum, "{nesterov} goes with {optim} sgd and a {momentum}");
    SettingsException.require(
        !isOn(whole.emaDecay) || !isOn(whole.lookaheadSteps), "{ema_decay} and {lookahead_steps} exclude each other");
    SettingsException.require(
        lookaheadAlpha == null || isOn(whole.lookaheadSteps), "{lookahead_alpha} goes with {lookahead_steps}");
    return whole;
  }

  private static boolean isOn(Number value) {
    return value != null && value.doubleValue() > 0;
  }

  /** Whether an average of the weights is kept beside them, and is the model. */
  public boolean keepsAverage() {
    return isOn(emaDecay) || isOn(lookaheadSteps);
  }
}
