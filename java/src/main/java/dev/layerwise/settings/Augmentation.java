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
 *     others in even ones, so that any two epochs in a row show every image both ways; of a whole record null for random
 * @param mixup α: every image of a batch is blended with another, and its target with the other's, by a share drawn from
 *     Beta(α, α) in each step (Zhang et al. 2018); of a whole record null for none
 * @param cutmix α: a box of another image of the batch, whose share of the area is drawn likewise, is pasted into every image,
 *     and targets are blended by area (Yun et al. 2019). With both, each step takes one of the two, with probability 1/2; of a
 *     whole record null for none
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
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double cutmix) {
  private static final String RANDOM = "random";
  private static final String ALTERNATING = "alternating";

  /** How images can be flipped, the usual way first. */
  public static final List<String> FLIPS = List.of(RANDOM, ALTERNATING);

  /** None. */
  public static final Augmentation NONE = new Augmentation(0, false, 0, 0, null, null, null);

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
  }

  /** These over a base. */
  public Augmentation over(Augmentation base) {
    Augmentation whole = Settings.over(this, base);
    return new Augmentation(
        whole.cropPadding, whole.horizontalFlip, whole.nHoles, whole.length, RANDOM.equals(whole.flip) ? null : whole.flip,
        nullIfZero(whole.mixup), nullIfZero(whole.cutmix));
  }

  private static Double nullIfZero(Double alpha) {
    return alpha == null || alpha == 0 ? null : alpha;
  }

  /** Whether images of a batch are mixed with each other, so that a target has two classes. */
  public boolean mixesImages() {
    return mixup != null || cutmix != null;
  }

  /** Whether every image is flipped in every other epoch. */
  public boolean alternatesFlips() {
    return ALTERNATING.equals(flip);
  }

  /** These, which are whole, for images that have already been flipped if they are flipped alternately. */
  public Augmentation afterAlternatingFlips() {
    return alternatesFlips() ? new Augmentation(cropPadding, false, nHoles, length, null, mixup, cutmix) : this;
  }

  /**
   * Throws {@link SettingsException} if these, which are whole, flip alternately what is not flipped.
   *
   * @param dataset what the images are called
   * @param flippedWhenRead whether they are flipped before these changes, as images on disk are
   */
  public void requireFit(String dataset, boolean flippedWhenRead) {
    require(
        flip == null || horizontalFlip || flippedWhenRead,
        "{flip} is for images that are flipped; those of " + dataset + " are not: leave it out");
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
            side != null ? side : length > 0 ? length : USUAL_SIDE, flip, mixup, cutmix)
        : new Augmentation(cropPadding, horizontalFlip, 0, 0, flip, mixup, cutmix);
  }

  /** Whether images stay as they are. */
  public boolean changesNothing() {
    return cropPadding == 0 && !horizontalFlip && nHoles == 0 && !mixesImages();
  }
}
