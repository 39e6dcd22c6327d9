package dev.layerwise.cli;

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

  /** Throws a usage error unless the numbers can work and, with the base's, have squares to be about. */
  void check(int baseHoles) {
    boolean cuts = holesOver(baseHoles) > 0;
    Checks.usage(cuts || holes == null, "--n-holes goes with --cutout");
    Checks.usage(cuts || length == null, "--length goes with --cutout");
    Checks.range("--n-holes", holes, 1, 1000);
    Checks.range("--length", length, 1, 10_000);
  }

  /** The number of squares; 0 for none. */
  int holesOver(int base) {
    boolean cuts = cutout == null ? base > 0 : cutout;
    return cuts ? Checks.or(holes, Math.max(base, 1)) : 0;
  }

  /** Their side. */
  int lengthOver(int base) {
    boolean cuts = cutout == null ? base > 0 : cutout;
    return cuts ? Checks.or(length, base > 0 ? base : 16) : 0;
  }
}
