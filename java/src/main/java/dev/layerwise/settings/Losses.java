package dev.layerwise.settings;

import static dev.layerwise.settings.SettingsException.require;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.settings.Settings.MayBeAbsent;
import java.util.List;

/**
 * What blocks learn from.
 *
 * @param loss the local loss, {@code pred}, {@code sim} or {@code predsim}; of a whole record null exactly where
 *     {@code backprop} is true
 * @param backprop one global loss and ordinary gradients instead of local losses
 * @param beta weight of the similarity loss under predsim
 * @param alpha total local loss = alpha · unsupervised + (1 − alpha) · supervised
 * @param lossUnsup the unsupervised local loss, {@code none}, {@code sim} or {@code recon}
 * @param bio feedback alignment and projected binary targets instead of the labels' own classifier
 * @param targetProjSize bits of a projected target, under bio
 * @param noDetach let the local losses' gradients flow back to earlier blocks
 * @param dimInDecoder most features a local classifier sees
 * @param similarityStd similarity of standard deviations over positions rather than of whole maps
 * @param labelSmoothing e below 1: classifiers, local ones and the output layer's, are trained on targets of 1 − e at the
 *     label plus e / classes at every class, as by PyTorch's {@code CrossEntropyLoss(label_smoothing=e)}; of a whole record
 *     null for none. The similarity loss has its targets as they are. Losses that training reports are smoothed, those of
 *     evaluations never are
 * @param blocksPerLoss consecutive hidden blocks that learn together from the loss of the last; null: each from its own
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Losses(
    @MayBeAbsent String loss,
    Boolean backprop,
    Double beta,
    Double alpha,
    String lossUnsup,
    Boolean bio,
    Integer targetProjSize,
    Boolean noDetach,
    Integer dimInDecoder,
    Boolean similarityStd,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double labelSmoothing,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Integer blocksPerLoss) {

  /** The local losses. */
  public static final List<String> LOCAL = List.of("pred", "sim", "predsim");

  /** The unsupervised local losses. */
  public static final List<String> UNSUPERVISED = List.of("none", "sim", "recon");

  /** The published ones. */
  public static final Losses DEFAULT = Settings.partial(
      Losses.class, "loss", "predsim", "backprop", false, "beta", 0.99, "alpha", 0.0, "loss_unsup", "none", "bio", false,
      "target_proj_size", 128, "no_detach", false, "dim_in_decoder", 4096, "similarity_std", true);

  /** One global loss and backpropagation. */
  public static final Losses BACKPROP = Settings.partial(Losses.class, "backprop", true);

  /** Checks the values; throws {@link SettingsException}. */
  public Losses {
    Rules.oneOf("loss", loss, LOCAL);
    Rules.oneOf("loss_unsup", lossUnsup, UNSUPERVISED);
    Rules.range("beta", beta, 0, 1);
    Rules.range("alpha", alpha, 0, 1);
    Rules.range("target_proj_size", targetProjSize, 2, 1_000_000);
    Rules.range("dim_in_decoder", dimInDecoder, 1, 100_000_000);
    Rules.belowOne("label_smoothing", labelSmoothing);
    Rules.range("blocks_per_loss", blocksPerLoss, 1, 10_000);
    require(
        !(Boolean.TRUE.equals(backprop) && loss != null),
        "{loss} is for local losses; with {backprop} there is one global loss");
  }

  /** These with another local loss; null: one global loss and backpropagation. */
  public Losses withLoss(String other) {
    return new Losses(
        other, other == null, beta, alpha, lossUnsup, bio, targetProjSize, noDetach, dimInDecoder, similarityStd,
        labelSmoothing, blocksPerLoss);
  }

  /**
   * These over a base. A loss that is asked for takes the place of a base's backpropagation. Of a base's local losses
   * nothing is left under backpropagation.
   */
  public Losses over(Losses base) {
    boolean asksForBackprop = Boolean.TRUE.equals(backprop);
    boolean global = asksForBackprop || (base.backprop && loss == null);
    Losses from =
        asksForBackprop
            ? new Losses(
                null, true, base.beta, 0.0, "none", false, base.targetProjSize, false, base.dimInDecoder,
                base.similarityStd, base.labelSmoothing, null)
            : base;
    Losses laid = Settings.over(this, from);
    String effective = global ? null : laid.loss == null ? DEFAULT.loss : laid.loss;
    Losses whole =
        new Losses(
            effective, global, laid.beta, laid.alpha, laid.lossUnsup, laid.bio, laid.targetProjSize, laid.noDetach,
            laid.dimInDecoder, laid.similarityStd,
            laid.labelSmoothing == null || laid.labelSmoothing == 0 ? null : laid.labelSmoothing,
            laid.grouped() ? laid.blocksPerLoss : null);
    requireFit(whole);
    return whole;
  }

  /** What was asked for must be about the losses that come out. */
  private void requireFit(Losses whole) {
    require(
        beta == null || "predsim".equals(whole.loss),
        "{beta} weighs the two parts of predsim; it goes with {loss} predsim");
    require(
        dimInDecoder == null || (whole.loss != null && (whole.bio || !whole.loss.equals("sim"))),
        "{dim_in_decoder} is about local classifiers; there are none with {backprop} or {loss} sim");
    require(
        !Boolean.FALSE.equals(similarityStd) || whole.hasSimilarityLoss(),
        "{!similarity_std} is about the similarity loss; it goes with {loss} sim or predsim");
    require(
        whole.lossUnsup.equals("none") == (whole.alpha == 0),
        "{alpha} and {loss_unsup} go together: the one is the weight of the other");
    require(
        !whole.backprop || (whole.alpha == 0 && !whole.bio && !whole.noDetach),
        "{alpha}, {bio} and {no_detach} are about local losses; with {backprop} there are none");
    require(
        whole.labelSmoothing == null || !whole.bio,
        "{label_smoothing} is for targets that are classes; those of {bio} are binary: leave out one of them");
    require(targetProjSize == null || whole.bio, "{target_proj_size} goes with {bio}");
    require(
        !whole.grouped() || !(whole.areConnected() || whole.bio),
        "{blocks_per_loss} groups blocks between which no gradient travels; it does not go with {backprop}, {no_detach}"
            + " or {bio}");
  }

  /** Whether hidden blocks learn by similarity matching. */
  public boolean hasSimilarityLoss() {
    return "sim".equals(loss) || "predsim".equals(loss);
  }

  /** Whether hidden blocks learn from a classifier of their own. */
  public boolean hasPredictionLoss() {
    return "pred".equals(loss) || "predsim".equals(loss);
  }

  /** Whether hidden blocks have a classifier of the labels: one whose targets are not projected. */
  public boolean hasLocalClassifiers() {
    return hasPredictionLoss() && !bio;
  }

  /** Whether hidden blocks have a classifier of projected targets. */
  public boolean hasProjectedTargets() {
    return hasPredictionLoss() && bio;
  }

  /** Whether gradients travel from block to block. */
  public boolean areConnected() {
    return backprop || noDetach;
  }

  /** Whether some blocks learn from the loss of a later one. */
  public boolean grouped() {
    return blocksPerLoss != null && blocksPerLoss > 1;
  }

  /** Factor of the global cross-entropy that trains the output layer. */
  public double outputLossScale() {
    return "predsim".equals(loss) ? 1 - beta : 1;
  }

  /** What a run says of it: the local loss, or {@code backprop}. */
  public String name() {
    return backprop ? "backprop" : loss;
  }
}
