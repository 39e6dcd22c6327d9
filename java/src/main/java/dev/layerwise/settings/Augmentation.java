package dev.layerwise.settings;

import static dev.layerwise.settings.SettingsException.require;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.settings.Settings.MayBeAbsent;
import java.util.List;

/**
 * Random changes to training images.
 *
 * @param cropPadding black pixels framing an image before a random crop of its own size; 0 for none
 * @param horizontalFlip whether images are flipped left to right: each time with probability 1/2, if {@code flip} does not
 *     say otherwise
 * @param nHoles squares set to the data's mean in every image (cutout); 0 for none
 * @param length side of such a square, in pixels
 * @param flip {@code random}, or {@code alternating} if half of the images, drawn once, are flipped in odd epochs and the
 *     others in even ones, so that any two epochs in a row show every image both ways; of a partial record also {@code none};
 *     of a whole record null for random and none
 * @param mixup α: every image of a batch is blended with another, and its target with the other's, by a share drawn from
 *     Beta(α, α) in each step (Zhang et al. 2018); of a whole record null for none
 * @param cutmix α: a box of another image of the batch, whose share of the area is drawn likewise, is pasted into every image,
 *     and targets are blended by area (Yun et al. 2019). With both, each step takes one of the two, with probability 1/2; of a
 *     whole record null for none
 * @param cropScale of images in files: least part of the area that a random resized crop has, as {@code scale} of
 *     torchvision's and timm's RandomResizedCrop; 0: no random crop, but the centre, as of test images. Null: images in
 *     memory, or images in files of an older version, see {@link #ofImageFiles}
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Augmentation(
    Integer cropPadding,
    Boolean horizontalFlip,
    Integer nHoles,
    Integer length,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) String flip,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double mixup,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double cutmix,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double cropScale) {
  private static final String RANDOM = "random";
  private static final String ALTERNATING = "alternating";
  private static final String NOT = "none";

  /** How images can be flipped, the usual way first. */
  public static final List<String> FLIPS = List.of(RANDOM, ALTERNATING, NOT);

  /** None. */
  public static final Augmentation NONE = new Augmentation(0, false, 0, 0, null, null, null, null);

  /** The usual crop scale of images in files. */
  public static final double USUAL_CROP_SCALE = 0.08;

  private static final int MOST_PIXELS = 10_000;
  private static final int MOST_HOLES = 1000;
  private static final int USUAL_SIDE = 16;
  private static final int LARGEST_ALPHA = 1000;

  /** Checks the values; throws {@link SettingsException}. */
  public Augmentation {
    Rules.range("crop_padding", cropPadding, 0, MOST_PIXELS);
    Rules.range("n_holes", nHoles, 0, MOST_HOLES);
    Rules.range("length", length, 0, MOST_PIXELS);
    Rules.oneOf("flip", flip, FLIPS);
    Rules.range("mixup", mixup, 0, LARGEST_ALPHA);
    Rules.range("cutmix", cutmix, 0, LARGEST_ALPHA);
    Rules.range("crop_scale", cropScale, 0, 1);
  }

  /** These over a base; throws {@link SettingsException} if they both flip images and do not. */
  public Augmentation over(Augmentation base) {
    require(
        flip == null || horizontalFlip == null || horizontalFlip != flip.equals(NOT),
        "{flip} " + flip + " does not go with {horizontal_flip} " + horizontalFlip);
    Augmentation whole = Settings.over(this, base);
    boolean flips = flip == null ? whole.horizontalFlip : !flip.equals(NOT);
    return new Augmentation(
        whole.cropPadding, flips, whole.nHoles, whole.length, flips && whole.alternatesFlips() ? ALTERNATING : null,
        nullIfZero(whole.mixup), nullIfZero(whole.cutmix), whole.cropScale);
  }

  private static Double nullIfZero(Double alpha) {
    return alpha == null || alpha == 0 ? null : alpha;
  }

  private Augmentation with(boolean flips, String how, Double scale) {
    return new Augmentation(cropPadding, flips, nHoles, length, how, mixup, cutmix, scale);
  }

  /** These, which are whole, with another crop scale; null: of images in memory. */
  public Augmentation withCropScale(Double scale) {
    return with(horizontalFlip, flip, scale);
  }

  /** Whether images of a batch are mixed with each other, so that a target has two classes. */
  public boolean mixesImages() {
    return mixup != null || cutmix != null;
  }

  /** Whether every image is flipped in every other epoch. */
  public boolean alternatesFlips() {
    return ALTERNATING.equals(flip);
  }

  /**
   * These, which are whole, of images in files. Older versions recorded neither the crop of at least 8 % of the area nor
   * the flips with which they read such images. Where they recorded random flips, the device flipped once more: that is
   * left as it is, without a crop scale, so that such a run is resumed with the same bits.
   */
  public Augmentation ofImageFiles() {
    return cropScale != null || flipsOnceMore() ? this : with(true, flip, USUAL_CROP_SCALE);
  }

  private boolean flipsOnceMore() {
    return cropScale == null && horizontalFlip && !alternatesFlips();
  }

  /** Whether these, which are whole, flip images in files when they are read. */
  public boolean flipsWhenRead() {
    return cropScale == null || horizontalFlip;
  }

  /** Least part of the area to which these crop images in files when they are read; 0: the centre. */
  public double cropScaleWhenRead() {
    return cropScale == null ? USUAL_CROP_SCALE : cropScale;
  }

  /** What of these, which are whole, is left for the device to do on images that were cropped and flipped as they were read. */
  public Augmentation afterReading() {
    return with(flipsOnceMore(), null, null);
  }

  /**
   * Throws {@link SettingsException} if these, which are whole, crop images in memory as only images in files are.
   *
   * @param dataset what the images are called
   * @param inFiles whether they are in files
   */
  public void requireFit(String dataset, boolean inFiles) {
    require(
        cropScale == null || inFiles,
        "{crop_scale} is for images in files; those of " + dataset + " are cropped as {crop_padding} says");
  }

  /**
   * These, which are whole, with or without cutout: by default one square of 16 pixels, as in the published code.
   *
   * @param wanted null: as before
   * @param holes null: as before, or one
   * @param side of each; null: as before, or 16
   */
  public Augmentation withCutout(Boolean wanted, Integer holes, Integer side) {
    boolean cuts = wanted == null ? nHoles > 0 : wanted;
    require(cuts || holes == null, "{n_holes} goes with {cutout}");
    require(cuts || side == null, "{length} goes with {cutout}");
    Rules.range("n_holes", holes, 1, MOST_HOLES);
    Rules.range("length", side, 1, MOST_PIXELS);
    return cuts
        ? new Augmentation(
            cropPadding, horizontalFlip, holes != null ? holes : Math.max(nHoles, 1),
            side != null ? side : length > 0 ? length : USUAL_SIDE, flip, mixup, cutmix, cropScale)
        : new Augmentation(cropPadding, horizontalFlip, 0, 0, flip, mixup, cutmix, cropScale);
  }

  /** Whether images stay as they are. */
  public boolean changesNothing() {
    return cropPadding == 0 && !horizontalFlip && nHoles == 0 && !mixesImages();
  }
}
