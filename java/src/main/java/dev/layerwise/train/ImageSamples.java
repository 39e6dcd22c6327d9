package dev.layerwise.train;

import dev.layerwise.data.DataSetInfo;
import java.awt.image.BufferedImage;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import javax.imageio.ImageIO;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/** Small pictures of what a network was shown. */
final class ImageSamples {
  private static final int LONGEST_SIDE = 96;

  private ImageSamples() {}

  /**
   * One image of a normalized batch as a PNG file. The pixels are those of the data set, since normalization is
   * undone; where a side is longer than 96, squares of pixels are averaged to one.
   *
   * @param values (N, C, H, W)
   * @param index of the image in the batch
   */
  static byte[] png(float[] values, int index, DataSetInfo info) {
    int factor = (Math.max(info.height(), info.width()) + LONGEST_SIDE - 1) / LONGEST_SIDE;
    int height = Math.max(1, info.height() / factor);
    int width = Math.max(1, info.width() / factor);
    BufferedImage image =
        new BufferedImage(
            width, height, info.channels() == 1 ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_3BYTE_BGR);
    WritableRaster raster = image.getRaster();
    float[] mean = info.mean();
    float[] deviation = info.deviation();
    for (int c = 0; c < info.channels(); c++) {
      int plane = (index * info.channels() + c) * info.height() * info.width();
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          double value = average(values, plane + y * factor * info.width() + x * factor, info, factor);
          long level = Math.round((value * deviation[c] + mean[c]) * 255);
          raster.setSample(x, y, c, (int) Math.max(0, Math.min(255, level)));
        }
      }
    }
    return encode(image);
  }

  private static double average(float[] values, int from, DataSetInfo info, int factor) {
    int rows = Math.min(factor, info.height());
    int columns = Math.min(factor, info.width());
    double sum = 0;
    for (int y = 0; y < rows; y++) {
      for (int x = 0; x < columns; x++) {
        sum += values[from + y * info.width() + x];
      }
    }
    return sum / (rows * columns);
  }

  private static byte[] encode(BufferedImage image) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (MemoryCacheImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
      ImageIO.write(image, "png", out);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail to be written
    }
    return bytes.toByteArray();
  }
}
