package dev.layerwise.cli;

import dev.layerwise.model.ModelConfig;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Settings;
import java.util.ArrayList;
import picocli.CommandLine.Option;

/** The network and its losses. An absent option keeps the default. */
final class ModelOptions extends NetworkOptions {
  /** The local losses. */
  static final class LocalLosses extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    LocalLosses() {
      super(Losses.LOCAL);
    }
  }

  /** The unsupervised losses. */
  static final class UnsupervisedLosses extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    UnsupervisedLosses() {
      super(Losses.UNSUPERVISED);
    }
  }

  /** The nonlinearities. */
  static final class Nonlinearities extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Nonlinearities() {
      super(Architecture.NONLINEARITIES);
    }
  }

  @Option(
      names = {"--loss", "--loss-sup"},
      paramLabel = "LOSS",
      completionCandidates = LocalLosses.class,
      description = "Local loss of the hidden blocks: one of ${COMPLETION-CANDIDATES}. Default: ${bundle:default.loss}.")
  String loss;

  @Option(
      names = "--backprop",
      description = "Train with one global loss and ordinary backpropagation. Default: ${bundle:default.backprop}.")
  boolean backprop;

  @Option(
      names = "--beta",
      paramLabel = "B",
      description = "Weight of the similarity loss: predsim = B · sim + (1 - B) · pred. Default: ${bundle:default.beta}.")
  Double beta;

  @Option(
      names = "--alpha",
      paramLabel = "A",
      description = "Weight of the unsupervised loss, with --loss-unsup: A · unsupervised + (1 - A) · supervised."
          + " Default: ${bundle:default.alpha}.")
  Double alpha;

  @Option(
      names = "--loss-unsup",
      paramLabel = "LOSS",
      completionCandidates = UnsupervisedLosses.class,
      description = "Unsupervised local loss, weighted by --alpha: one of ${COMPLETION-CANDIDATES}."
          + " Default: ${bundle:default.loss_unsup}.")
  String lossUnsup;

  @Option(
      names = "--bio",
      description = "Local losses without backpropagation: feedback alignment and projected binary targets."
          + " Default: ${bundle:default.bio}.")
  boolean bio;

  @Option(
      names = "--target-proj-size",
      paramLabel = "N",
      description = "Number of bits of a projected target, with --bio. Default: ${bundle:default.target_proj_size}.")
  Integer targetProjSize;

  @Option(
      names = "--no-detach",
      description = "Let the gradients of the local losses flow back to earlier blocks."
          + " Default: ${bundle:default.no_detach}.")
  boolean noDetach;

  @Option(
      names = "--blocks-per-loss",
      paramLabel = "N",
      description = "Train N hidden blocks that follow each other by the loss of the last; gradients travel back only among"
          + " them. Residual blocks of up to N convolutions are not divided. Default: 1.")
  Integer blocksPerLoss;

  @Option(
      names = "--dim-in-decoder",
      paramLabel = "N",
      description = "Maximum number of inputs of a local classifier; larger feature maps are average-pooled."
          + " Default: ${bundle:default.dim_in_decoder}.")
  Integer dimInDecoder;

  @Option(
      names = "--no-similarity-std",
      description = "Compare whole feature maps in the similarity loss instead of their standard deviations. Default: off.")
  boolean noSimilarityStd;

  @Option(
      names = "--label-smoothing",
      paramLabel = "X",
      description = "Train classifiers on targets of 1 - X at the label plus X / classes at every class; not with --bio."
          + " Training then reports the smoothed loss, evaluation the plain one. Default: 0, or as in the preset.")
  Double labelSmoothing;

  @Option(
      names = "--nonlin",
      paramLabel = "NAME",
      completionCandidates = Nonlinearities.class,
      description = "Nonlinearity: one of ${COMPLETION-CANDIDATES}. Default: ${bundle:default.nonlin}.")
  String nonlin;

  @Option(
      names = "--dropout",
      paramLabel = "P",
      description = "Dropout probability of a channel (convolutions) or a unit (linear blocks)."
          + " Default: ${bundle:default.dropout}.")
  Double dropout;

  @Option(names = "--no-batch-norm", description = "Leave out batch normalization. Default: off.")
  boolean noBatchNorm;

  @Override
  Architecture architecture() {
    return Settings.with(
        super.architecture(), "nonlin", lower(nonlin), "dropout", dropout, "batch_norm", noBatchNorm ? false : null);
  }

  /** The requested losses; partial. */
  private Losses losses() {
    return Settings.partial(
        Losses.class, "loss", lower(loss), "backprop", onlyIf(backprop), "beta", beta, "alpha", alpha, "loss_unsup",
        lower(lossUnsup), "bio", onlyIf(bio), "target_proj_size", targetProjSize, "no_detach", onlyIf(noDetach),
        "dim_in_decoder", dimInDecoder, "similarity_std", noSimilarityStd ? false : null,
        "label_smoothing", labelSmoothing, "blocks_per_loss", blocksPerLoss);
  }

  /** These options over a base: a data set's defaults, or a recorded run's configuration. */
  ModelConfig over(ModelConfig base) {
    ModelConfig network = networkOver(base);
    return new ModelConfig(
        network.architecture(), losses().over(base.losses()), network.images(), network.classes(), network.network());
  }
}
