package dev.layerwise.cli;

import dev.layerwise.model.ModelConfig;
import java.util.ArrayList;
import picocli.CommandLine.Option;

/** The network and its losses. An option that is absent ({@code null}) leaves the default. */
final class ModelOptions extends NetworkOptions {
  /** The local losses. */
  static final class Losses extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Losses() {
      super(ModelConfig.LOSSES);
    }
  }

  /** The unsupervised losses. */
  static final class UnsupervisedLosses extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    UnsupervisedLosses() {
      super(ModelConfig.UNSUPERVISED_LOSSES);
    }
  }

  /** The nonlinearities. */
  static final class Nonlinearities extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Nonlinearities() {
      super(ModelConfig.NONLINEARITIES);
    }
  }

  @Option(
      names = {"--loss", "--loss-sup"},
      paramLabel = "LOSS",
      completionCandidates = Losses.class,
      description = "Local loss of every hidden block: one of ${COMPLETION-CANDIDATES}. Default: predsim.")
  String loss;

  @Option(
      names = "--backprop",
      description = "Train with one global loss and backpropagation instead. Default: off.")
  boolean backprop;

  @Option(
      names = "--beta",
      paramLabel = "B",
      description = "predsim = B · sim + (1 - B) · pred. Default: 0.99.")
  Double beta;

  @Option(
      names = "--alpha",
      paramLabel = "A",
      description = "Local loss = A · unsupervised + (1 - A) · supervised; with --loss-unsup. Default: 0.")
  Double alpha;

  @Option(
      names = "--loss-unsup",
      paramLabel = "LOSS",
      completionCandidates = UnsupervisedLosses.class,
      description = "Unsupervised local loss: one of ${COMPLETION-CANDIDATES}; with --alpha. Default: none.")
  String lossUnsup;

  @Option(
      names = "--bio",
      description = "Backprop-free local losses: feedback alignment and projected binary targets. Default: off.")
  boolean bio;

  @Option(
      names = "--target-proj-size",
      paramLabel = "N",
      description = "Bits of a projected target, with --bio. Default: 128.")
  Integer targetProjSize;

  @Option(
      names = "--no-detach",
      description = "Let the local losses' gradients flow back to earlier blocks. Default: off.")
  boolean noDetach;

  @Option(
      names = "--dim-in-decoder",
      paramLabel = "N",
      description = "Most features that a local classifier sees; larger maps are average-pooled. Default: 4096.")
  Integer dimInDecoder;

  @Option(
      names = "--no-similarity-std",
      description = "Similarity of whole feature maps instead of their standard deviations. Default: off.")
  boolean noSimilarityStd;

  @Option(
      names = "--nonlin",
      paramLabel = "NAME",
      completionCandidates = Nonlinearities.class,
      description = "Nonlinearity: one of ${COMPLETION-CANDIDATES}."
          + " Default: ${bundle:usual.nonlin:-leakyrelu for digits, else relu}.")
  String nonlin;

  @Option(
      names = "--dropout",
      paramLabel = "P",
      description = "Probability of dropping a channel (convolutions) or a unit (linear blocks)."
          + " Default: ${bundle:usual.dropout:-0.1 for digits, else 0}.")
  Double dropout;

  @Option(names = "--no-batch-norm", description = "Leave batch normalization out. Default: off.")
  boolean noBatchNorm;

  /** These options over a base: a dataset's defaults, or a recorded run's configuration. */
  ModelConfig over(ModelConfig base) {
    String chosenLoss = lower(loss);
    Checks.oneOf("--loss", chosenLoss, new Losses());
    Checks.oneOf("--nonlin", lower(nonlin), new Nonlinearities());
    Checks.usage(!(backprop && loss != null), "--loss is for local losses; with --backprop there is one global loss");
    boolean global = backprop || (base.backprop() && loss == null);
    String effectiveLoss = global ? null : Checks.or(chosenLoss, base.loss() == null ? "predsim" : base.loss());
    Checks.usage(
        !noSimilarityStd || (effectiveLoss != null && !effectiveLoss.equals("pred")),
        "--no-similarity-std is about the similarity loss; it goes with --loss sim or predsim");
    ModelConfig structure = structureOver(base);
    // Of a preset's or a dataset's local losses nothing is left under --backprop.
    String effectiveUnsup = Checks.or(lower(lossUnsup), backprop ? "none" : base.lossUnsup());
    double effectiveAlpha = Checks.or(alpha, backprop ? 0 : base.alpha());
    boolean effectiveBio = bio || (base.bio() && !backprop);
    boolean effectiveNoDetach = noDetach || (base.noDetach() && !backprop);
    Checks.oneOf("--loss-unsup", effectiveUnsup, new UnsupervisedLosses());
    Checks.range("--alpha", alpha, 0, 1);
    Checks.usage(
        effectiveUnsup.equals("none") == (effectiveAlpha == 0),
        "--alpha and --loss-unsup go together: the one is the weight of the other");
    Checks.usage(
        !global || (effectiveAlpha == 0 && !effectiveBio && !effectiveNoDetach),
        "--alpha, --bio and --no-detach are about local losses; with --backprop there are none");
    Checks.usage(targetProjSize == null || effectiveBio, "--target-proj-size goes with --bio");
    Checks.range("--target-proj-size", targetProjSize, 2, 1_000_000);
    Checks.SETTINGS.losses(effectiveLoss, effectiveBio, beta, dimInDecoder);
    Checks.SETTINGS.dropout(dropout);
    return new ModelConfig(
        structure.model(),
        structure.featMult(),
        structure.numLayers(),
        structure.numHidden(),
        effectiveLoss,
        global,
        Checks.or(beta, base.beta()),
        effectiveAlpha,
        effectiveUnsup,
        effectiveBio,
        Checks.or(targetProjSize, base.targetProjSize()),
        effectiveNoDetach,
        Checks.or(dimInDecoder, base.dimInDecoder()),
        !noSimilarityStd && base.similarityStd(),
        Checks.or(lower(nonlin), base.nonlin()),
        Checks.or(dropout, base.dropout()),
        !noBatchNorm && base.batchNorm(),
        base.inputChannels(),
        base.inputHeight(),
        base.inputWidth(),
        base.classes(),
        structure.preAct(),
        structure.network());
  }
}
