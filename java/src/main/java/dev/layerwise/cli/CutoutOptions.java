package dev.layerwise.cli;

import picocli.CommandLine.Option;

/** Cutout: squares set to the data's mean in every training image. */
final class CutoutOptions {
  @Option(names = "--cutout", description = "Cut squares out of the training images. Default: off.")
  boolean cutout;

  @Option(
      names = {"--n-holes", "--n_holes"},
      paramLabel = "N",
      description = "Squares per image, with --cutout. Default: 1.")
  Integer holes;

  @Option(names = "--length", paramLabel = "PIXELS", description = "Side of a square, with --cutout. Default: 16.")
  Integer length;

  void check() {
    Checks.usage(cutout || holes == null, "--n-holes goes with --cutout");
    Checks.usage(cutout || length == null, "--length goes with --cutout");
    Checks.range("--n-holes", holes, 1, 1000);
    Checks.range("--length", length, 1, 10_000);
  }

  int holesOver(int base) {
    return cutout ? Checks.or(holes, base > 0 ? base : 1) : base;
  }

  int lengthOver(int base) {
    return cutout ? Checks.or(length, base > 0 ? base : 16) : base;
  }
}
