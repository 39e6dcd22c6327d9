package dev.layerwise.data.stream;

import dev.layerwise.nativelib.NativeImages;

/**
 * Changes the size of part of an image, bilinearly: along each axis an output pixel is the mean of input pixels under a
 * triangle around its centre, which reaches to the next output pixel or the next input pixel, whichever is further. So
 * shrinking averages over all pixels, and does not leave some out. Rows first, then columns; both in float.
 */
final class Resampler {
  private Resampler() {}

  /**
   * A box of an image.
   *
   * @param left of its first column; boxes of test images begin between pixels
   */
  record Box(double top, double left, double height, double width) {}

  /**
   * Resizes a box to a square of planes. Pixels just outside the box count, too, where the image has them.
   *
   * @param target receives (3, size, size) bytes from {@code offset} on
   * @param flip whether to mirror it left to right
   */
  static void resize(RgbImage image, Box box, int size, boolean flip, byte[] target, int offset) {
    NativeImages.resample(
        image.pixels(), image.height(), image.width(),
        new NativeImages.Square(box.top(), box.left(), box.height(), box.width(), size, flip), target, offset);
  }
}
