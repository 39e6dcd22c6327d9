package dev.layerwise.data;

import java.nio.ByteBuffer;

/**
 * Labelled images as bytes. They are shared with the caller, not copied: they are large, and whoever is handed an image set
 * must leave them as they are.
 *
 * @param pixels unsigned grey or colour levels 0 to 255 in (N, C, H, W) order, from position 0 to the limit; from files they
 *     are outside Java's heap, where devices can use them in place
 * @param labels one class number per image, 0 to classes − 1
 * @param channels C
 * @param height H
 * @param width W
 * @param classes number of classes
 */
public record ImageSet(ByteBuffer pixels, int[] labels, int channels, int height, int width, int classes)
    implements Images {
  /**
   * Checks that sizes and labels fit together.
   *
   * @throws DataException if there is no image, a dimension is not positive, the number of pixels is not
   *     N·C·H·W, or a label is out of range
   */
  public ImageSet {
    if (channels < 1 || height < 1 || width < 1 || classes < 1) {
      throw new DataException("An image set needs positive sizes, not " + channels + " channels of " + height + "×"
          + width + " pixels and " + classes + " classes.");
    }
    if (labels.length == 0) {
      throw new DataException("An image set needs at least one image.");
    }
    double expected = (double) labels.length * channels * height * width;
    if (pixels.limit() != expected) {
      throw new DataException("An image set of " + labels.length + " images with " + channels + " channels of " + height
          + "×" + width + " pixels needs " + (long) expected + " bytes, not " + pixels.limit() + ".");
    }
    for (int image = 0; image < labels.length; image++) {
      if (labels[image] < 0 || labels[image] >= classes) {
        throw new DataException("Label " + labels[image] + " of image " + image + " is not in 0 to " + (classes - 1)
            + ".");
      }
    }
  }

  /** Images in an array; see there. */
  public ImageSet(byte[] pixels, int[] labels, int channels, int height, int width, int classes) {
    this(ByteBuffer.wrap(pixels), labels, channels, height, width, classes);
  }

  @Override
  public int count() {
    return labels.length;
  }

  /** A copy of an image's levels, in (C, H, W) order. */
  public byte[] pixels(int index) {
    return pixels(index, index + 1);
  }

  /** A copy of the levels of images {@code from} to {@code to} − 1, in (N, C, H, W) order. */
  public byte[] pixels(int from, int to) {
    int bytes = channels * height * width;
    byte[] copy = new byte[(to - from) * bytes];
    pixels.get(from * bytes, copy);
    return copy;
  }

  @Override
  public Fingerprint fingerprint() {
    return Fingerprint.ofPixels(pixels, labels);
  }
}
