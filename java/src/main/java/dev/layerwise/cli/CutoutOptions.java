package dev.layerwise.cli;

import dev.layerwise.settings.Augmentation;
import picocli.CommandLine.Option;

/** Cutout: squares set to the data's mean in every training image. */
final class CutoutOptions {
  @Option(names = "--cutout",
      negatable = true,
      description = "Cut squares out of the training images. Default: off, or as the preset says.")
  Boolean cutout;

  @Option(
      names = {"--n-holes", "--n_holes"},
      paramLabel = "N",
      description = "Squares per image, with --cutout. Default: 1.")
  Integer holes;

  @Option(names = "--length", paramLabel = "PIXELS", description = "Side of a square, with --cutout. Default: 16.")
  Integer length;

  /** A base's augmentation with or without cutout. */
  Augmentation over(Augmentation base) {
    return base.withCutout(cutout, holes, length);
  }
}
