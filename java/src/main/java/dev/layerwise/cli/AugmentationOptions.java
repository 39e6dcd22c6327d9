package dev.layerwise.cli;

import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Settings;
import java.util.ArrayList;
import picocli.CommandLine.Option;

/**
 * How training images are cropped and flipped, cutout, which sets squares in each of them to the data's mean, and mixup and
 * cutmix, which mix the images of a batch with each other.
 */
final class AugmentationOptions {
  /** The ways of flipping. */
  static final class Flips extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Flips() {
      super(Augmentation.FLIPS);
    }
  }

  @Option(
      names = {"--crop-padding", "--crop"},
      paramLabel = "PIXELS",
      description = "Black pixels that frame a training image before a random crop of its own size; 0: no crop. Default: the"
          + " data set's (MNIST and Fashion-MNIST 2, CIFAR 4, others 0), or as in the preset. Images of image-folder have been"
          + " cropped as --crop-scale says before.")
  Integer cropPadding;

  @Option(
      names = "--flip",
      paramLabel = "HOW",
      completionCandidates = Flips.class,
      description = "Which training images are flipped left to right: random, each time with probability 1/2; alternating, half"
          + " of them in odd epochs and the others in even ones, so that any two epochs in a row show every image both ways; or"
          + " none. Default: random for Fashion-MNIST, CIFAR and image-folder, none for others, or as in the preset.")
  String flip;

  @Option(
      names = "--crop-scale",
      paramLabel = "FRACTION",
      description = "For image-folder: least part of an image's area that is cut out at random and resized to --image-size, as"
          + " scale of RandomResizedCrop in torchvision and timm; 0: the centre is cut out, as of test images. Default: 0.08.")
  Double cropScale;

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

  @Option(
      names = "--mixup",
      paramLabel = "ALPHA",
      description = "Blend every training image with another of its batch, and its target with the other's, by a share drawn from"
          + " Beta(ALPHA, ALPHA) in each step; 0: not. Published: 1 for CIFAR, 0.2 for ImageNet. Default: 0, or as in the preset.")
  Double mixup;

  @Option(
      names = "--cutmix",
      paramLabel = "ALPHA",
      description = "Paste a box of another image of the batch into every training image, and blend targets by area; the box's"
          + " share of the area is drawn from Beta(ALPHA, ALPHA) in each step; 0: not. With --mixup, each step takes one of the"
          + " two. Published: 1. Default: 0, or as in the preset.")
  Double cutmix;

  /** These options over a base's augmentation. */
  Augmentation over(Augmentation base) {
    return Settings.partial(
            Augmentation.class, "crop_padding", cropPadding, "flip", NetworkOptions.lower(flip), "mixup", mixup, "cutmix", cutmix,
            "crop_scale", cropScale)
        .over(base.withCutout(cutout, holes, length));
  }
}
