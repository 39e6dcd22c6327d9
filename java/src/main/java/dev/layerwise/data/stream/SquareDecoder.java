package dev.layerwise.data.stream;

import dev.layerwise.data.stream.ImageDecoder.UnusableException;
import java.nio.file.Path;

/** Reads a box of an image file as a square of planes. Upright JPEG files go from bytes to planes in one native call. */
final class SquareDecoder {
  private SquareDecoder() {}

  /**
   * What becomes the square.
   *
   * @param flip whether to mirror it left to right
   */
  record Placement(Resampler.Box box, boolean flip) {}

  /** Chooses the box once the image's size is known. */
  @FunctionalInterface
  interface Placing {
    Placement in(int height, int width);
  }

  /**
   * Decodes the whole file, so that a damaged one is found out whatever part of it is used.
   *
   * @param exif whether to turn the image as the camera's mark of orientation (EXIF) says
   * @param target receives (3, size, size) levels from {@code offset} on
   */
  static void read(Path file, boolean exif, Placing placing, int size, byte[] target, int offset)
      throws UnusableException {
    decode(ImageDecoder.content(file), exif, placing, size, target, offset);
  }

  /** The same for the content of a file. */
  static void decode(byte[] encoded, boolean exif, Placing placing, int size, byte[] target, int offset)
      throws UnusableException {
    if (ImageFormat.of(encoded) == ImageFormat.JPEG
        && JpegDecoder.toSquare(encoded, exif, placing, size, target, offset)) {
      return;
    }
    resize(ImageDecoder.decode(encoded, exif), placing, size, target, offset);
  }

  /** The same for a decoded image. */
  static void resize(RgbImage image, Placing placing, int size, byte[] target, int offset) {
    Placement placement = placing.in(image.height(), image.width());
    Resampler.resize(image, placement.box(), size, placement.flip(), target, offset);
  }
}
