package dev.layerwise.cli;

import dev.layerwise.settings.Augmentation;
import picocli.CommandLine.Option;

/** Cutout: sets squares in every training image to the data's mean. */
final class CutoutOptions {
  @Option(names = "--cutout",
      negatable = true,
      description = "Cut random squares out of the training images. Default: off, or as in the preset.")
  Boolean cutout;

  @Option(
      names = {"--n-holes", "--n_holes"},
      paramLabel = "N",
      description = "Number of squares per image, with --cutout. Default: 1.")
  Integer holes;

  @Option(names = "--length", paramLabel = "PIXELS", description = "Side of each square, with --cutout. Default: 16.")
  Integer length;

  /** A base's augmentation with or without cutout. */
  Augmentation over(Augmentation base) {
    return base.withCutout(cutout, holes, length);
  }
}
