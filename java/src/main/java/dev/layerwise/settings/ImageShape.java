package dev.layerwise.settings;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.LayerwiseException;

/**
 * Images that a network is made for.
 *
 * @param channels 1 for grey levels, 3 for colours
 * @param height pixels, as is {@code width}
 */
@Settings.Group
public record ImageShape(
    @JsonProperty("input_channels") Integer channels, @JsonProperty("input_height") Integer height,
    @JsonProperty("input_width") Integer width) {
  /** Height and width to which ImageNet's images are usually cut. */
  public static final int IMAGENET_SIDE = 224;

  private static final int IMAGENET_RESIZE = 256;

  /** Checks that images are not empty. */
  public ImageShape {
    SettingsException.require(
        channels != null && height != null && width != null && channels > 0 && height > 0 && width > 0,
        "images cannot be " + channels + "×" + height + "×" + width);
  }

  /** "3×32×32". */
  @Override
  public String toString() {
    return channels + "×" + height + "×" + width;
  }

  /** Values of an image. */
  public int elements() {
    return channels * height * width;
  }

  /** A square's side: the longer side of others. */
  public int side() {
    return Math.max(height, width);
  }

  /**
   * What the shorter side of an image is usually made before a square is cut from its centre: in proportion to ImageNet's
   * 256 and 224.
   *
   * @param side of the square
   */
  public static int usualResize(int side) {
    return Math.round(side * (float) IMAGENET_RESIZE / IMAGENET_SIDE);
  }

  /**
   * Throws unless images are of this shape.
   *
   * @param owner what needs images of this shape, such as "runs/a"
   * @param images of another shape perhaps
   * @param source where they come from
   * @param remedy what to do then
   */
  public void requireFits(String owner, ImageShape images, String source, String remedy) {
    if (!equals(images)) {
      throw new LayerwiseException(
          owner + " was made for " + this + " images, but those of " + source + " are " + images + "; " + remedy);
    }
  }
}
