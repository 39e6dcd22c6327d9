package dev.layerwise.train;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.Png;
import java.awt.image.BufferedImage;
import java.awt.image.WritableRaster;

/** Small pictures of what a network was shown. */
final class ImageSamples {
  private static final int LONGEST_SIDE = 96;

  private ImageSamples() {}

  /**
   * An image as a PNG file. Where a side is longer than 96, squares of pixels are averaged to one.
   *
   * @param pixels levels in (C, H, W) order
   */
  static byte[] png(byte[] pixels, DataSetInfo info) {
    int factor = (Math.max(info.height(), info.width()) + LONGEST_SIDE - 1) / LONGEST_SIDE;
    int height = Math.max(1, info.height() / factor);
    int width = Math.max(1, info.width() / factor);
    BufferedImage image =
        new BufferedImage(
            width, height, info.channels() == 1 ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_3BYTE_BGR);
    WritableRaster raster = image.getRaster();
    for (int c = 0; c < info.channels(); c++) {
      int plane = c * info.height() * info.width();
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          raster.setSample(x, y, c, average(pixels, plane + y * factor * info.width() + x * factor, info, factor));
        }
      }
    }
    return Png.encode(image);
  }

  private static int average(byte[] pixels, int from, DataSetInfo info, int factor) {
    int rows = Math.min(factor, info.height());
    int columns = Math.min(factor, info.width());
    int sum = 0;
    for (int y = 0; y < rows; y++) {
      for (int x = 0; x < columns; x++) {
        sum += pixels[from + y * info.width() + x] & 0xff;
      }
    }
    return Math.round((float) sum / (rows * columns));
  }
}
