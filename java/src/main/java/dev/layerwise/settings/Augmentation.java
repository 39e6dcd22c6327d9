package dev.layerwise.settings;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;

/**
 * Random changes to training images.
 *
 * @param cropPadding black pixels framing an image before a random crop of its own size; 0 for none
 * @param horizontalFlip whether every second image, drawn at random, is flipped left to right
 * @param nHoles squares set to the data's mean in every image (cutout); 0 for none
 * @param length side of such a square, in pixels
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Augmentation(Integer cropPadding, Boolean horizontalFlip, Integer nHoles, Integer length) {
  /** None. */
  public static final Augmentation NONE = new Augmentation(0, false, 0, 0);

  private static final int MOST_PIXELS = 10_000;
  private static final int MOST_HOLES = 1000;
  private static final int USUAL_SIDE = 16;

  /** Checks the values; throws {@link SettingsException}. */
  public Augmentation {
    Rules.range("crop_padding", cropPadding, 0, MOST_PIXELS);
    Rules.range("n_holes", nHoles, 0, MOST_HOLES);
    Rules.range("length", length, 0, MOST_PIXELS);
  }

  /** These over a base. */
  public Augmentation over(Augmentation base) {
    return Settings.over(this, base);
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
    SettingsException.require(cuts || holes == null, "{n_holes} goes with {cutout}");
    SettingsException.require(cuts || side == null, "{length} goes with {cutout}");
    Rules.range("n_holes", holes, 1, MOST_HOLES);
    Rules.range("length", side, 1, MOST_PIXELS);
    return cuts
        ? new Augmentation(
            cropPadding, horizontalFlip, holes != null ? holes : Math.max(nHoles, 1),
            side != null ? side : length > 0 ? length : USUAL_SIDE)
        : new Augmentation(cropPadding, horizontalFlip, 0, 0);
  }

  /** Whether images stay as they are. */
  public boolean changesNothing() {
    return cropPadding == 0 && !horizontalFlip && nHoles == 0;
  }
}
